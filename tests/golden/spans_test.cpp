// Labelled spans against transformers' pipeline; see tests/reference/make_tiny_models.py.
#include "heads/spans.h"

#include <catch2/catch.hpp>

#include "tiny_bert.h"

namespace quern::test {
namespace {

std::string fixture() {
  return QUERN_TEST_DIR "/golden/models/bert";
}

// The most probable label of each token that is not special.
std::vector<LabelledToken> best(const TokenLabels& text, size_t labels) {
  std::vector<LabelledToken> tokens;
  for (size_t i = 0; i < text.tokens.size(); ++i) {
    const float* row = text.scores.data() + i * labels;
    const float* top = std::max_element(row, row + labels);
    const Span bytes = text.tokens[i].bytes;
    if (!text.tokens[i].special) tokens.push_back({bytes.begin, bytes.end, top - row, *top});
  }
  return tokens;
}

size_t characters(const std::string& text, size_t bytes) {
  return static_cast<size_t>(std::count_if(text.begin(), text.begin() + static_cast<ptrdiff_t>(bytes),
                                           [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string without_prefix(const std::string& label) {
  return label.starts_with("B-") || label.starts_with("I-") ? label.substr(2) : label;
}

}  // namespace

TEST_CASE("spans: as transformers' pipeline groups them, under several namings of the labels") {
  const auto golden = nlohmann::json::parse(read_text_file(fixture() + "/golden.json", 1 << 24));
  ScratchFolder scratch;
  std::filesystem::copy(fixture(), scratch.path(), std::filesystem::copy_options::recursive);
  auto config = nlohmann::json::parse(read_text_file(scratch.file("config.json"), 1 << 20));
  config["architectures"] = {"BertForTokenClassification"};
  size_t checked = 0;
  for (const auto& naming : golden.at("spans")) {
    const auto labels = naming.at("labels").get<std::vector<std::string>>();
    for (size_t i = 0; i < labels.size(); ++i) config["id2label"][std::to_string(i)] = labels[i];
    scratch.write("config.json", config.dump());
    Session session(load_model(scratch.path()), 1);
    REQUIRE(session.model().pipeline.classifier->labels == labels);
    for (size_t i = 0; i < naming.at("spans").size(); ++i) {
      const std::string text = golden.at("texts").at(i).get<std::string>();
      const std::string_view view = text;
      EmbedStats stats;
      const auto found =
          group_tokens(best(session.classify_tokens({&view, 1}, {}, false, stats)[0], labels.size()), labels);
      const auto& expected = naming.at("spans").at(i);
      INFO(text << ", labels " << naming.at("labels"));
      REQUIRE(found.size() == expected.size());
      for (size_t k = 0; k < found.size(); ++k, ++checked) {
        CHECK(characters(text, found[k].begin) == expected[k].at(0).get<size_t>());
        CHECK(characters(text, found[k].end) == expected[k].at(1).get<size_t>());
        CHECK(without_prefix(labels[static_cast<size_t>(found[k].label)]) == expected[k].at(2).get<std::string>());
        CHECK(double{found[k].score} == Approx(expected[k].at(3).get<double>()).margin(1e-4));
      }
    }
  }
  CHECK(checked > 50);
}

TEST_CASE("spans: what begins a span, what ends it") {
  const std::vector<std::string> labels = {"O", "B-A", "I-A", "I-B", "A"};
  const auto group = [&](std::initializer_list<int64_t> of) {
    std::vector<LabelledToken> tokens;
    for (const int64_t label : of) tokens.push_back({tokens.size() * 2, tokens.size() * 2 + 1, label, 0.5f});
    std::vector<std::pair<size_t, size_t>> found;
    for (const LabelledToken& s : group_tokens(tokens, labels)) found.emplace_back(s.begin / 2, s.end / 2);
    return found;
  };
  using Found = std::vector<std::pair<size_t, size_t>>;
  CHECK(group({}).empty());
  CHECK(group({0, 0}).empty());
  CHECK(group({2, 2}) == Found{{0, 1}});
  CHECK(group({1, 2, 0, 2}) == Found{{0, 1}, {3, 3}});
  CHECK(group({2, 1, 2}) == Found{{0, 0}, {1, 2}});
  CHECK(group({2, 3, 3, 1}) == Found{{0, 0}, {1, 2}, {3, 3}});
  CHECK(group({1, 4, 2}) == Found{{0, 2}});
}

}  // namespace quern::test
