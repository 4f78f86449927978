// Embedders made of decoders, whose config.json says that tokens see what is behind them
// (tests/reference/make_bidirectional.py).
#include <catch2/catch.hpp>

#include "tiny_decoders.h"

namespace quern::test {
namespace {

std::vector<float> states_of(const std::string& path, const std::string& text) {
  Session session(load_model(path), 1);
  EmbedStats stats;
  const std::string_view view = text;
  return session.encode({&view, 1}, {}, {.states = true}, stats)[0].states;
}

}  // namespace

TEST_CASE("decoders that are not causal by config.json: states of transformers, from the folder and converted") {
  const nlohmann::json golden =
      nlohmann::json::parse(read_text_file(QUERN_TEST_DIR "/golden/bidirectional.json", 1 << 20));
  for (const auto& [name, states] : golden.at("states").items()) {
    INFO(name);
    const DecoderCopy folder(name);
    folder.edit_config([](nlohmann::json& config) { config["is_causal"] = false; });
    const ScratchFolder scratch;
    const std::string converted = convert_to(scratch, "f32", folder.path());
    for (size_t i = 0; i < states.size(); ++i) {
      const std::string text = golden.at("texts")[i];
      const std::vector<float> found = states_of(folder.path(), text);
      CHECK(difference({found}, {states[i].get<std::vector<float>>()}) < 2e-5);
      CHECK(difference({states_of(converted, text)}, {found}) < 2e-5);  // heads' rows lie otherwise there
    }
    CHECK(load_model(folder.path())->model->language_head().linear == nullptr);
  }
}

TEST_CASE("decoders that are not causal by config.json: not within a window") {
  const DecoderCopy folder("mistral");
  folder.edit_config([](nlohmann::json& config) { config["is_causal"] = false; });
  CHECK_THROWS_WITH(load_model(folder.path()), Catch::Contains("is_causal is false and sliding_window is set"));
}

TEST_CASE("architectures that quern does not run are refused by name, with those that it runs") {
  for (const char* type : {"qwen3_moe", "mixtral", "olmoe", "eurobert", "smollm3", "granite", "olmo2", "gpt_oss"}) {
    const DecoderCopy folder("qwen3");
    folder.edit_config([&](nlohmann::json& config) { config["model_type"] = type; });
    CHECK_THROWS_WITH(load_model(folder.path()),
                      Catch::Contains("model_type \"" + std::string(type) + "\" is not supported (supported: bert,"));
  }
  const FolderCopy jina(decoder_folder("bert"));
  jina.edit_config([](nlohmann::json& config) { config["position_embedding_type"] = "alibi"; });
  CHECK_THROWS_WITH(load_model(jina.path()), Catch::Contains("position_embedding_type"));
  const DecoderCopy phi("phi3");
  phi.edit_config([](nlohmann::json& config) { config["partial_rotary_factor"] = 0.75; });
  CHECK_THROWS_WITH(load_model(phi.path()), Catch::Contains("partial_rotary_factor"));
}

}  // namespace quern::test
