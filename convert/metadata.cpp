#include "convert/metadata.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "convert/llama_vocabulary.h"
#include "dispatch.h"
#include "error.h"
#include "fingerprint.h"
#include "gguf/weight_types.h"
#include "heads/pooling.h"
#include "os/files.h"
#include "self_test.h"
#include "sources/gguf_layout.h"

namespace quern {
namespace {

// Outputs of the self-test texts from the source model, letting go of each layer's pages once it has run.
nlohmann::json make_self_test(const LoadedModel& source, const std::vector<std::string>& texts, Pool& pool) {
  nlohmann::json all = nlohmann::json::array();
  std::vector<Encoding> encodings(texts.size());
  std::vector<int32_t> ids, types;
  std::vector<Sequence> packed;
  for (size_t i = 0; i < texts.size(); ++i) {
    Encoding& e = encodings[i];
    source.tokenizer->encode(texts[i], {.add_special = true, .max_length = source.max_length}, e);
    packed.push_back({static_cast<int64_t>(ids.size()), static_cast<int64_t>(e.ids.size())});
    ids.insert(ids.end(), e.ids.begin(), e.ids.end());
    types.insert(types.end(), e.type_ids.begin(), e.type_ids.end());
  }
  const std::unique_ptr<Ops> op = source.device->ops({.pool = &pool});
  const WeightMap& map = source.weights;
  const auto release = [&](int layer, Ops&, const Tensor&) {
    if (layer < 0) return;
    const WeightMap::Range range = map.layers[static_cast<size_t>(layer)];
    for (size_t s = range.begin; s < range.end; ++s) source.source->weights().done_with(map.specs[s]);
  };
  const Tensor states = forward(*source.model, {*op}, {ids, types, packed}, release);
  for (size_t i = 0; i < texts.size(); ++i) {
    if (packed[i].length == 0) continue;
    all.push_back(
        self_test_entry(source, *op, texts[i], encodings[i].ids, states.slice(packed[i].first, packed[i].length)));
  }
  return all;
}

// What is executed: tokenizer.json without its vocabulary, and the tables that take the vocabulary's place.
void write_tokenizer(GgufWriter& file, const LoadedModel& source) {
  file.set_string("quern.tokenizer.json", Tokenizer::outline(source.tokenizer_json, source.path + ": tokenizer.json"));
  source.tokenizer->save([&](std::string_view name, std::span<const std::byte> bytes) {
    file.set_array(kTablePrefix + std::string(name),
                   std::span<const uint8_t>(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
  });
}

// llama.cpp's number for a single pooling mode; 0 (none) for what it cannot say.
uint32_t pooling_type(const Pipeline& pipeline) {
  for (const Pipeline::Module& m : pipeline.modules) {
    const PoolingMode* mode = m.pooling.modes.size() == 1 ? find_pooling_mode(m.pooling.modes[0]) : nullptr;
    if (mode) return mode->llama;
  }
  return 0;
}

// What differs from what is assumed anyway.
void write_sampling(GgufWriter& file, const SamplingDefaults& sampling) {
  const SamplingDefaults assumed;
  for (const SamplingField& field : sampling_fields) {
    const std::string key = std::string("general.sampling.") + field.key;
    if (field.real && sampling.*field.real != assumed.*field.real) file.set_f32(key, sampling.*field.real);
    if (field.whole && sampling.*field.whole != assumed.*field.whole) file.set_i32(key, sampling.*field.whole);
  }
}

}  // namespace

std::vector<std::string> self_test_texts(const std::string& extra) {
  std::vector<std::string> texts = {"The quick brown fox jumps over the lazy dog.",
                                    "Is this file still what it was when it was made?",
                                    "Größe, naïve, 東京 and \xF0\x9F\x8C\x8D: 3.14 + 2 = 5.14"};
  if (!extra.empty()) texts.push_back(extra);
  return texts;
}

void write_metadata(GgufWriter& file, const LoadedModel& source, const WrittenType& as, const TypeInfo* in_groups,
                    const std::string& weights_sha256, const std::vector<std::string>& self_test, Pool& pool) {
  const std::string architecture = source.architecture->gguf;
  const TypeInfo& type = *as.type;
  std::string rounded_as = type.name;
  if (as.level) rounded_as += ':' + std::to_string(as.level->largest_code);
  if (as.finer) rounded_as += std::string("/") + as.finer->name;
  if (in_groups) rounded_as += std::string("+") + in_groups->name;
  file.set_string("general.architecture", architecture);
  std::string name = source.repo.empty() ? source.path : source.repo;
  while (!name.empty() && os::ends_folder(name.back())) name.pop_back();
  file.set_string("general.name", os::base_name(name));
  file.set_u32("general.file_type", gguf_file_type_of(type));
  file.set_u32("general.quantization_version", 2);
  GgufConfigWriter config(file, architecture);
  source.model->config(config);
  if (!source.model->language_head().linear)
    file.set_u32(architecture + ".pooling_type", pooling_type(source.pipeline));
  write_tokenizer(file, source);
  if (type.rows)
    write_llama_vocabulary(file, {*source.tokenizer, source.tokenizer_json, source.chat.specials,
                                  source.model->vocabulary(), source.model->types()});
  write_chat_format(file, source.chat);
  write_sampling(file, source.sampling);
  file.set_u32("quern.layout_version", kLayoutVersion);
  file.set_string("quern.type", type.name);
  if (as.level || as.finer) file.set_string("quern.level", as.name);
  file.set_string("quern.pipeline", to_json(source.pipeline));
  file.set_u32("quern.max_length", static_cast<uint32_t>(source.max_length));
  file.set_string("quern.prompts", prompts_to_json(source.prompts));
  file.set_string("quern.default_prompt", source.default_prompt);
  if (!source.end_tokens.empty()) {
    const std::vector<uint32_t> ends(source.end_tokens.begin(), source.end_tokens.end());
    file.set_array("quern.end_tokens", std::span<const uint32_t>(ends));
  }
  file.set_string("quern.similarity", source.similarity);
  file.set_bool("quern.matryoshka", source.matryoshka);
  file.set_string("quern.source.repo", source.repo);
  file.set_string("quern.source.revision", source.revision);
  file.set_string("quern.source.weights_sha256", weights_sha256);
  file.set_string("quern.decisions", decisions_to_json(source.decisions));
  file.set_string("quern.fingerprint", make_fingerprint(weights_sha256, rounded_as, source));
  file.set_string("quern.self_test", make_self_test(source, self_test, pool).dump());
}

}  // namespace quern
