// Labels that a model was not trained on, beside transformers' pipeline (tests/reference/make_zero_shot.py).
#include "zero_shot.h"

#include <catch2/catch.hpp>
#include <map>

#include "error.h"
#include "tiny_decoders.h"

namespace quern::test {
namespace {

const nlohmann::json& golden_zero_shot() {
  static const nlohmann::json all =
      nlohmann::json::parse(read_text_file(QUERN_TEST_DIR "/golden/zero_shot.json", 1 << 20));
  return all;
}

// A fixture as a model of natural language inference with these labels.
std::unique_ptr<Session> inference(const std::string& name, const nlohmann::json& names) {
  const FolderCopy folder(decoder_folder(name));
  folder.edit_config([&](nlohmann::json& config) {
    config["architectures"] = {"XForSequenceClassification"};
    config["id2label"] = nlohmann::json::object();
    for (size_t i = 0; i < names.size(); ++i) config["id2label"][std::to_string(i)] = names[i];
  });
  return std::make_unique<Session>(load_model(folder.path()), 2);
}

std::vector<float> scored(Session& session, const std::string& text, const std::vector<std::string>& labels,
                          const std::string& hypothesis, bool multi_label) {
  const std::vector<std::string_view> names(labels.begin(), labels.end());
  const std::string_view view = text;
  std::vector<float> out(labels.size());
  EmbedStats stats;
  classify_zero_shot(session, {&view, 1}, {names, hypothesis, multi_label}, {}, out, stats);
  CHECK(stats.texts == 1);
  return out;
}

}  // namespace

TEST_CASE("zero-shot classification: scores of transformers' pipeline") {
  std::map<std::string, std::unique_ptr<Session>> sessions;
  for (const auto& c : golden_zero_shot()) {
    std::unique_ptr<Session>& session = sessions[c.at("model").get<std::string>() + c.at("names").dump()];
    if (!session) session = inference(c.at("model"), c.at("names"));
    INFO(c);
    const std::vector<float> found =
        scored(*session, c.at("text"), c.at("labels").get<std::vector<std::string>>(),
               c.value("hypothesis_template", std::string(usual_hypothesis)), c.value("multi_label", false));
    const auto expected = c.at("scores").get<std::vector<float>>();
    for (size_t i = 0; i < expected.size(); ++i) CHECK(double{found[i]} == Approx(double{expected[i]}).margin(1e-4));
  }
}

TEST_CASE("zero-shot classification: what it cannot do is refused by name") {
  const auto refused = [](Session& session, const std::vector<std::string>& labels, const std::string& hypothesis) {
    return error_of([&] { scored(session, "a text", labels, hypothesis, false); }).message;
  };
  using Catch::Contains;
  const auto session = inference("bert", {"entailment", "neutral", "contradiction"});
  CHECK_THAT(refused(*session, {}, "It is {}."), Contains("labels: expected at least one"));
  CHECK_THAT(refused(*session, {"a", " "}, "It is {}."), Contains("an empty one in place 2"));
  CHECK_THAT(refused(*session, {"a"}, "It is."), Contains("{} where the label goes"));
  const auto other = inference("bert", {"calm", "odd", "zealous"});
  CHECK_THAT(refused(*other, {"a"}, "It is {}."), Contains("begins with \"entail\"; found calm, odd, zealous"));
  Session embedder(load_model(decoder_folder("gte")), 1);
  CHECK_THAT(refused(embedder, {"a"}, "It is {}."), Contains("no labels of texts"));
}

}  // namespace quern::test
