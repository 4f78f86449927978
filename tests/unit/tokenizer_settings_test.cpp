// tokenizer.json and the files beside it, as transformers reads them: tests/reference/make_tokenizer_configs.py.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "format_bytes.h"
#include "hub/hf_folder.h"
#include "io/json.h"
#include "io/mapped_file.h"
#include "tokenizers/tokenizer.h"

using namespace quern;
using namespace quern::test;

namespace {

// Files: objects by name, whose members keep their order.
HfFolder folder_of(const nlohmann::ordered_json& files, const std::string& tokenizer, const std::string& model_type) {
  return HfFolder::read("dir", [&](const std::string& path, size_t) -> std::optional<std::string> {
    if (path == "config.json")
      return nlohmann::json{{"model_type", model_type}, {"max_position_embeddings", 512}}.dump();
    if (path == "tokenizer.json") return tokenizer;
    const auto found = files.find(path);
    if (found == files.end()) return std::nullopt;
    return found->dump();
  });
}

std::string decision(const HfFolder& folder, const std::string& what) {
  for (const Decision& d : folder.decisions)
    if (d.what == what) return d.value;
  return {};
}

Error config_error(const nlohmann::json& config) {
  const nlohmann::json tokenizer = {
      {"added_tokens", nlohmann::json::array()}, {"normalizer", nullptr}, {"model", {{"type", "WordPiece"}}}};
  return error_of([&] { folder_of({{"tokenizer_config.json", config}}, tokenizer.dump(), "llama"); });
}

}  // namespace

TEST_CASE("tokenizer settings: the ids that transformers gives") {
  const nlohmann::ordered_json file =
      nlohmann::ordered_json::parse(read_text_file(QUERN_TEST_DIR "/golden/tokenizer_configs.json", 1 << 20));
  size_t cases = 0;
  for (const nlohmann::ordered_json& c : file["cases"]) {
    INFO(c["what"]);
    REQUIRE_FALSE(c.contains("error"));
    const HfFolder folder = folder_of(c["files"], file["bases"][c["base"].get<std::string>()].dump(), c["model_type"]);
    const auto tokenizer = Tokenizer::parse(folder.tokenizer_json, "tokenizer.json");
    for (size_t i = 0; i < file["texts"].size(); ++i) {
      const std::string text = file["texts"][i];
      INFO(text);
      Encoding whole, cut;
      tokenizer->encode(text, {}, whole);
      CHECK(nlohmann::ordered_json(whole.ids) == c["ids"][i]);
      tokenizer->encode(text, {.max_length = file["max_length"], .truncate_left = tokenizer->cuts_left()}, cut);
      CHECK(nlohmann::ordered_json(cut.ids) == c["cut"][i]);
    }
    ++cases;
  }
  CHECK(cases > 100);
}

TEST_CASE("tokenizer settings: a file that they say nothing new of stays as it is, to the byte") {
  const nlohmann::json base = read_json_file(QUERN_TEST_DIR "/golden/tokenizer_configs.json", 1 << 20)["bases"]["bert"];
  const std::string text = base.dump(2);
  const nlohmann::json config = {{"do_lower_case", true}, {"mask_token", "[MASK]"}, {"truncation_side", "right"}};
  CHECK(folder_of({{"tokenizer_config.json", config}}, text, "bert").tokenizer_json == text);
}

TEST_CASE("tokenizer settings: what they change is said") {
  const nlohmann::json base = read_json_file(QUERN_TEST_DIR "/golden/tokenizer_configs.json", 1 << 20)["bases"]["bert"];
  const nlohmann::json config = {{"do_lower_case", false}, {"tool_token", "[TOOL]"}, {"truncation_side", "left"}};
  const HfFolder folder = folder_of({{"tokenizer_config.json", config}}, base.dump(), "bert");
  CHECK(decision(folder, "added_tokens") == "[TOOL]");
  CHECK(decision(folder, "truncation_side") == "left");
  CHECK(decision(folder, "normalizer").find("\"lowercase\":false") != std::string::npos);
}

TEST_CASE("tokenizer settings: a file's own direction counts where they are silent") {
  nlohmann::json base = read_json_file(QUERN_TEST_DIR "/golden/tokenizer_configs.json", 1 << 20)["bases"]["bert"];
  base["truncation"] = {{"direction", "Left"}, {"max_length", 8}, {"strategy", "LongestFirst"}, {"stride", 0}};
  const auto left = [&](const nlohmann::json& config) {
    const HfFolder folder = folder_of({{"tokenizer_config.json", config}}, base.dump(), "bert");
    return Tokenizer::parse(folder.tokenizer_json, "tokenizer.json")->cuts_left();
  };
  CHECK(left({{"do_lower_case", true}}));
  CHECK_FALSE(left({{"truncation_side", "right"}}));
}

TEST_CASE("tokenizer settings: many tokens, and no tokenizer_config.json") {
  nlohmann::json names = nlohmann::json::array();
  for (int i = 0; i < 20000; ++i) names.push_back("<" + std::to_string(i) + ">");
  const nlohmann::json map = {{"extra_special_tokens", names}}, ids = {{"<7>", 9}, {"[A]", 10}};
  const nlohmann::json tokenizer = {
      {"added_tokens", nlohmann::json::array()}, {"normalizer", nullptr}, {"model", nlohmann::json::object()}};
  const HfFolder folder =
      folder_of({{"special_tokens_map.json", map}, {"added_tokens.json", ids}}, tokenizer.dump(), "llama");
  const nlohmann::json added = nlohmann::json::parse(folder.tokenizer_json)["added_tokens"];
  REQUIRE(added.size() == 20001);
  CHECK(added[0]["content"] == "<7>");
  CHECK(added[0]["special"] == true);
  CHECK(added[1]["special"] == false);
  CHECK(added[20000]["content"] == "<19999>");
}

TEST_CASE("tokenizer settings: what is wrong with tokenizer.json is left to the tokenizer") {
  for (const char* text : {R"({"added_tokens":[],"normalizer":null,"truncation":{"direction":3},"model":{}})",
                           R"({"truncation":[])", "[]", ""}) {
    INFO(text);
    CHECK(folder_of({{"tokenizer_config.json", {{"truncation_side", "right"}}}}, text, "llama").tokenizer_json == text);
  }
}

TEST_CASE("tokenizer settings: what cannot be understood is named") {
  CHECK(config_error({{"truncation_side", "middle"}}).status == Status::bad_file);
  for (const nlohmann::json& bad :
       {nlohmann::json(3), nlohmann::json{{"x", {{"content", "a"}}}}, nlohmann::json{{"1", "a"}},
        nlohmann::json{{"1", {{"content", 3}}}}, nlohmann::json{{"99999999999999999999", {{"content", "a"}}}}})
    CHECK(config_error({{"added_tokens_decoder", bad}}).message.find("added_tokens_decoder") != std::string::npos);
  CHECK(config_error({{"do_lower_case", "yes"}, {"tokenizer_class", "BertTokenizer"}}).status == Status::bad_file);
}
