#include "sources/gguf_settings.h"

#include <algorithm>

#include "dispatch.h"
#include "error.h"
#include "heads/pooling.h"
#include "io/json.h"
#include "io/name_list.h"
#include "sources/gguf_layout.h"
#include "tokenizers/from_gguf.h"

namespace quern {
namespace {

bool is_level(const TypeInfo& type, const std::string& name) {
  if (type.mix.name && name == type.mix.name) return true;
  return std::any_of(std::begin(type.levels), std::end(type.levels),
                     [&](const Level& level) { return level.name && name == level.name; });
}

// What quern's own layouts share. json_key: where tokenizer.json is.
ModelSettings own_settings(const GgufReader& f, const char* json_key) {
  ModelSettings s;
  s.type = f.get_string("quern.type");
  if (!find_type(s.type))
    throw Error(Status::bad_file, f.name() + ": quern.type \"" + printable(s.type) + "\" is no type of weights");
  s.level = f.get_string_or("quern.level", "");
  if (!s.level.empty() && !is_level(*find_type(s.type), s.level))
    throw Error(Status::bad_file, f.name() + ": quern.level \"" + printable(s.level) + "\" is no level of " + s.type +
                                      "; this version cannot read it");
  s.pipeline = pipeline_from_json(f.get_string("quern.pipeline"), f.name() + ": quern.pipeline");
  s.prompts = prompts_from_json(f.get_string_or("quern.prompts", "{}"), f.name() + ": quern.prompts");
  s.default_prompt = f.get_string_or("quern.default_prompt", "");
  s.similarity = f.get_string_or("quern.similarity", "cosine");
  s.matryoshka = f.get_bool_or("quern.matryoshka", false);
  s.repo = f.get_string_or("quern.source.repo", "");
  s.revision = f.get_string_or("quern.source.revision", "");
  s.fingerprint = f.get_string_or("quern.fingerprint", "");
  s.self_test = f.get_string_or("quern.self_test", "");
  s.decisions = decisions_from_json(f.get_string_or("quern.decisions", "[]"), f.name() + ": quern.decisions");
  if (f.has("quern.end_tokens")) {
    const auto ids = f.get_array<uint32_t>("quern.end_tokens");
    for (size_t i = 0; i < ids.size(); ++i) s.end_tokens.insert(static_cast<int32_t>(ids[i]));
  }
  s.tokenizer_json = f.get_string(json_key);
  s.max_length = f.get_uint_or("quern.max_length", 0);
  return s;
}

ModelSettings first_layout(const GgufReader& file, const Architecture&, const Model&) {
  return own_settings(file, "tokenizer.huggingface.json");
}

ModelSettings second_layout(const GgufReader& file, const Architecture&, const Model&) {
  return own_settings(file, "quern.tokenizer.json");
}

// "1 (mean), 2 (cls) and 3 (last)"
std::string llama_poolings() {
  struct Row {
    std::string name;
  };
  std::vector<Row> rows;
  while (const PoolingMode* mode = find_llama_pooling(rows.size() + 1))
    rows.push_back({std::to_string(mode->llama) + " (" + mode->option + ')'});
  return list_names(rows, "and");
}

// A file of llama.cpp's: pooling_type as it numbers them, vectors normalized as its tools do.
ModelSettings llama_layout(const GgufReader& f, const Architecture& architecture, const Model& model) {
  ModelSettings s;
  const std::string key = std::string(architecture.gguf) + ".pooling_type";
  const bool decoder = model.language_head().linear != nullptr;
  const uint64_t pooling = f.get_uint_or(key, find_pooling_mode(decoder ? "lasttoken" : "mean")->llama);
  const PoolingMode* mode = find_llama_pooling(pooling);
  if (!mode)
    throw Error(Status::unsupported,
                f.name() + ": " + key + " is " + std::to_string(pooling) + "; quern embeds with " + llama_poolings());
  s.pipeline.modules = {{.type = "Pooling", .folder = {}, .pooling = {.modes = {mode->name}}, .dense = {}},
                        {.type = "Normalize", .folder = {}, .pooling = {}, .dense = {}}};
  s.decisions = {{"pooling", mode->name, f.has(key) ? key : "assumed: there is no " + key},
                 {"normalize", "true", "llama.cpp's tools normalize"}};
  const bool verbatim = f.has("tokenizer.huggingface.json");
  s.tokenizer_json = verbatim ? std::string(f.get_string("tokenizer.huggingface.json")) : tokenizer_json_from_gguf(f);
  s.decisions.push_back({"tokenizer", verbatim ? "verbatim" : "rebuilt",
                         verbatim ? "tokenizer.huggingface.json" : "tokenizer.ggml.tokens"});
  return s;
}

constexpr GgufLayout kLayouts[] = {
    {0, llama_layout, false, false}, {1, first_layout, false, true}, {2, second_layout, true, true}};
static_assert(kLayouts[std::size(kLayouts) - 1].version == kLayoutVersion);

}  // namespace

SamplingDefaults gguf_sampling_of(const GgufReader& f) {
  SamplingDefaults sampling;
  for (const SamplingField& field : sampling_fields) {
    const std::string key = std::string("general.sampling.") + field.key;
    if (!f.has(key)) continue;
    const double value = field.real ? f.get_float(key) : static_cast<double>(f.get_uint(key));
    if (!set_sampling(sampling, field, value))
      throw Error(Status::bad_file, f.name() + ": " + key + " is out of range");
  }
  return sampling;
}

const GgufLayout& gguf_layout_of(const GgufReader& file) {
  const uint64_t version = file.get_uint_or("quern.layout_version", 0);
  for (const GgufLayout& layout : kLayouts)
    if (layout.version == version) return layout;
  throw Error(Status::unsupported, file.name() + ": quern.layout_version is " + std::to_string(version) +
                                       ", this quern reads up to " + std::to_string(kLayoutVersion) +
                                       "; convert the model again or update quern");
}

}  // namespace quern
