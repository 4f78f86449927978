#include "hub/hf_static.h"

#include <nlohmann/json.hpp>

#include "hub/hf_json.h"

namespace quern {
namespace {

constexpr const char* model2vec = "model2vec";
constexpr size_t model2vec_length = 512;  // of texts, where its config.json does not say

// In the place of what was decided before.
void decide(HfFolder& folder, const char* what, const std::string& value, const char* why) {
  std::erase_if(folder.decisions, [&](const auto& decision) { return decision.what == what; });
  folder.decisions.push_back({what, value, why});
}

}  // namespace

bool read_static_config(const HfFolder::ReadFile& read, HfFolder& folder) {
  const std::optional<JsonFile> config =
      read_json(folder.dir, read, join_path(folder.transformer_folder, "config.json"));
  const std::string type = config ? config->string("model_type").value_or("") : "";
  if (type == model2vec || (folder.is_static && config && type.empty())) {  // not all that it writes name a type
    nlohmann::json named = config->value();
    named["model_type"] = model2vec;
    folder.is_static = true;
    folder.config_json = named.dump();
  } else if (folder.is_static) {
    folder.config_json = R"({"model_type": "static_embedding"})";
  }
  return folder.is_static;
}

void settle_static(const JsonFile& config, bool has_modules, HfFolder& folder) {
  const bool of_model2vec = folder.model_type == model2vec;
  nlohmann::json tokenizer = parse_json(folder.tokenizer_json, folder.dir + "/tokenizer.json");
  if (!tokenizer.is_object()) return;  // the tokenizer says what is wrong with it
  tokenizer["post_processor"] = nullptr;
  if (of_model2vec) tokenizer["post_processor"] = {{"type", "DropUnknown"}};
  folder.tokenizer_json = tokenizer.dump();
  decide(folder, "special_tokens", "none", "static embeddings");
  if (!of_model2vec) return;
  decide(folder, "unknown_tokens", "left out", "model2vec");
  constexpr size_t most = size_t{1} << 24;
  const auto& fields = config.value();
  const bool unlimited = fields.contains("max_length") && fields["max_length"].is_null();
  const std::optional<size_t> length = unlimited ? 0 : config.count("max_length", 1, most);
  folder.max_length = length.value_or(model2vec_length);
  decide(folder, "max_length", unlimited ? "unlimited" : std::to_string(folder.max_length),
         length ? "config.json: max_length" : "model2vec's default");
  if (has_modules || !config.boolean("normalize").value_or(false)) return;
  folder.pipeline.modules.push_back({"Normalize", "", {}, {}});
  decide(folder, "normalize", "true", "config.json: normalize");
}

}  // namespace quern
