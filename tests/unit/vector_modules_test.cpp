// The tables of what follows a transformer: each row goes from a folder's settings to a model file and back.
#include "heads/vector_modules.h"

#include <catch2/catch.hpp>
#include <map>
#include <nlohmann/json.hpp>

#include "format_bytes.h"
#include "heads/pooling.h"
#include "heads/score_activation.h"
#include "hub/hf_folder.h"

using namespace quern;
using namespace quern::test;

namespace {

using Settings = nlohmann::json;

// A folder with a Pooling and, behind it, one module of a type whose config.json is `config`.
HfFolder folder_with(const std::string& type, const Settings& config) {
  const std::string package = "sentence_transformers.models.";
  Settings modules = {{{"idx", 0}, {"path", ""}, {"type", package + "Transformer"}}};
  if (type != "Pooling") modules.push_back({{"idx", 1}, {"path", "1"}, {"type", package + "Pooling"}});
  modules.push_back({{"idx", 2}, {"path", "2"}, {"type", package + type}});
  const std::map<std::string, std::string> files = {
      {"config.json", R"({"model_type":"bert","max_position_embeddings":512})"},
      {"tokenizer.json", R"({"version":"1.0","truncation":null,"model":{}})"},
      {"modules.json", modules.dump()},
      {"1/config.json", R"({"pooling_mode":"cls"})"},
      {"2/config.json", config.dump()}};
  return HfFolder::read("dir", [&](const std::string& path, size_t) -> std::optional<std::string> {
    const auto found = files.find(path);
    return found == files.end() ? std::nullopt : std::optional<std::string>(found->second);
  });
}

// Settings that suit every module.
Settings any_config() {
  return {{"pooling_mode", "mean"}, {"in_features", 8}, {"out_features", 8}, {"dimension", 8}};
}

bool lists(const std::string& message, const std::string& name) {
  return message.find(name) != std::string::npos;
}

}  // namespace

TEST_CASE("modules: each goes through a folder, a model file and the weights") {
  for (const VectorModule& row : vector_modules()) {
    INFO(row.name);
    CHECK(find_vector_module(row.name) == &row);
    const HfFolder folder = folder_with(row.name, any_config());
    const Pipeline::Module& module = folder.pipeline.modules.back();
    CHECK(module.type == row.name);
    CHECK(module.folder == (row.declare ? "2" : ""));
    const auto decides = [&](const Decision& d) { return d.what == row.decision && !d.value.empty(); };
    CHECK(std::any_of(folder.decisions.begin(), folder.decisions.end(), decides));
    CHECK(pipeline_from_json(to_json(folder.pipeline), "x") == folder.pipeline);
    WeightMap map;
    HeadWeights weights;
    weights.declare(map, folder.pipeline, 8, 100);
    CHECK(map.specs.size() == (row.declare ? 1 : 0));
    for (const WeightSpec& spec : map.specs) CHECK(spec.hf_folder == "2");
  }
}

TEST_CASE("modules: what is unknown is answered with what there is") {
  const Error in_folder = error_of([] { folder_with("LSTM", any_config()); });
  const Error in_file = error_of([] { pipeline_from_json(R"({"modules":[{"type":"LSTM"}]})", "x"); });
  CHECK(in_folder.status == Status::unsupported);
  CHECK(in_file.status == Status::unsupported);
  for (const VectorModule& row : vector_modules()) {
    CHECK(lists(in_folder.message, row.name));
    CHECK(lists(in_file.message, row.name));
  }
  CHECK(lists(in_folder.message,
              "the module LSTM is not supported, quern runs Transformer, Pooling, Dense, LayerNorm, "
              "Normalize, MLMTransformer, SpladePooling and LogitScore"));
  CHECK(in_file.message == "x: unknown module 'LSTM', expected Pooling, Dense, LayerNorm or Normalize");
}

TEST_CASE("modules: every pooling mode in both spellings") {
  const Error unknown = error_of([] { folder_with("Pooling", {{"pooling_mode", "median"}}); });
  CHECK(unknown.status == Status::unsupported);
  for (const PoolingMode& mode : pooling_modes()) {
    INFO(mode.name);
    CHECK(folder_with("Pooling", {{mode.flag, true}}).pipeline.modules[0].pooling.modes ==
          std::vector<std::string>{mode.name});
    CHECK(folder_with("Pooling", {{"pooling_mode", mode.name}}).pipeline.modules[0].pooling.modes ==
          std::vector<std::string>{mode.name});
    CHECK(find_pooling(mode.name, "x") == mode.pooling);
    CHECK(find_pooling(mode.option, "x") == mode.pooling);
    CHECK(lists(unknown.message, mode.name));
  }
}

TEST_CASE("modules: activations of a Dense are torch's") {
  Settings config = any_config();
  for (const auto& [torch, name] :
       std::map<std::string, std::string>{{"torch.nn.modules.linear.Identity", "identity"},
                                          {"torch.nn.modules.activation.Tanh", "tanh"},
                                          {"torch.nn.modules.activation.ReLU", "relu"},
                                          {"torch.nn.modules.activation.GELU", "gelu"},
                                          {"torch.nn.modules.activation.Sigmoid", "sigmoid"},
                                          {"torch.nn.modules.activation.SiLU", "silu"}}) {
    config["activation_function"] = torch;
    CHECK(folder_with("Dense", config).pipeline.modules[1].dense.activation == name);
  }
  for (const char* other : {"torch.nn.modules.activation.Mish", "custom.Tanh"}) {
    config["activation_function"] = other;
    const Error e = error_of([&] { folder_with("Dense", config); });
    CHECK(e.status == Status::unsupported);
    CHECK(lists(e.message, "is not one of torch.nn's Identity, Tanh, ReLU, GELU, Sigmoid and SiLU"));
  }
}

TEST_CASE("modules: activations of label scores") {
  const auto classifier = [](const std::string& activation) {
    Pipeline pipeline;
    pipeline.classifier =
        ClassifierConfig{.per_token = false, .labels = {"a", "b"}, .activation = activation, .layers = {}};
    return pipeline;
  };
  for (const ScoreActivation& row : score_activations()) {
    INFO(row.name);
    const Pipeline pipeline = classifier(row.name);
    CHECK(pipeline_from_json(to_json(pipeline), "x") == pipeline);
    float scores[] = {1, -2, 0.5f};
    if (row.apply) {
      row.apply(scores, 3);
      for (const float score : scores) CHECK((score > 0 && score < 1));
      CHECK(scores[0] > scores[2]);
      CHECK(scores[2] > scores[1]);
    }
  }
  CHECK(find_score_activation("tanh") == nullptr);
  CHECK(error_of([&] { check_pipeline(classifier("tanh"), "x"); }).message ==
        "x: unknown activation 'tanh' of a classifier, expected none, sigmoid or softmax");
}
