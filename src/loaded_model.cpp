#include "loaded_model.h"

#include <algorithm>

#include "dispatch.h"
#include "error.h"
#include "generation/end_tokens.h"
#include "heads/vector_head.h"
#include "host_device.h"
#include "hub/snapshot.h"
#include "io/json.h"
#include "tokenizers/from_gguf.h"
#include "tokenizers/table.h"

namespace quern {
namespace {

// The largest tokenizer id must have a row in the token table, and the special tokens must leave room for text.
void check_tokenizer(const LoadedModel& m) {
  if (static_cast<int64_t>(m.tokenizer->vocab_size()) > m.model->vocabulary())
    throw Error(Status::bad_file, m.path + ": the tokenizer has ids up to " +
                                      std::to_string(m.tokenizer->vocab_size() - 1) + ", but the token embedding has " +
                                      std::to_string(m.model->vocabulary()) + " rows");
}

void settle_max_length(LoadedModel& m, size_t wanted) {
  const size_t positions = static_cast<size_t>(m.model->positions());
  m.max_length = wanted == 0 ? positions : std::min(wanted, positions);
  if (wanted > positions)
    m.decisions.push_back({"max_length", std::to_string(positions),
                           "the position table's rows (the settings say " + std::to_string(wanted) + ")"});
}

void load_gguf_settings(LoadedModel& m) {
  const GgufReader& f = *m.gguf;
  const uint64_t layout = f.get_uint_or("quern.layout_version", 0);
  if (layout > kLayoutVersion)
    throw Error(Status::unsupported, m.path + ": quern.layout_version is " + std::to_string(layout) +
                                         ", this quern reads up to " + std::to_string(kLayoutVersion) +
                                         "; convert the model again or update quern");
  if (layout > 0) {
    m.type = f.get_string("quern.type");
    if (!find_type(m.type))
      throw Error(Status::bad_file, m.path + ": quern.type \"" + printable(m.type) + "\" is no type of weights");
    m.pipeline = pipeline_from_json(f.get_string("quern.pipeline"), m.path + ": quern.pipeline");
    m.prompts = prompts_from_json(f.get_string_or("quern.prompts", "{}"), m.path + ": quern.prompts");
    m.default_prompt = f.get_string_or("quern.default_prompt", "");
    m.similarity = f.get_string_or("quern.similarity", "cosine");
    m.matryoshka = f.get_bool_or("quern.matryoshka", false);
    m.repo = f.get_string_or("quern.source.repo", "");
    m.revision = f.get_string_or("quern.source.revision", "");
    m.fingerprint = f.get_string_or("quern.fingerprint", "");
    m.self_test = f.get_string_or("quern.self_test", "");
    m.decisions = decisions_from_json(f.get_string_or("quern.decisions", "[]"), m.path + ": quern.decisions");
    if (f.has("quern.end_tokens")) {
      const auto ids = f.get_array<uint32_t>("quern.end_tokens");
      for (size_t i = 0; i < ids.size(); ++i) m.end_tokens.insert(static_cast<int32_t>(ids[i]));
    }
    m.tokenizer_json = f.get_string(layout == 1 ? "tokenizer.huggingface.json" : "quern.tokenizer.json");
    settle_max_length(m, f.get_uint_or("quern.max_length", 0));
    return;
  }
  // A file of llama.cpp's: pooling_type as it numbers them, vectors normalized as its tools do.
  const std::string key = std::string(m.architecture->gguf) + ".pooling_type";
  const bool decoder = m.model->language_head().linear != nullptr;
  const uint64_t pooling = f.get_uint_or(key, decoder ? 3 : 1);
  const char* const modes[] = {"", "mean", "cls", "lasttoken"};
  if (pooling == 0 || pooling > 3)
    throw Error(Status::unsupported, m.path + ": " + key + " is " + std::to_string(pooling) +
                                         "; quern embeds with 1 (mean), 2 (cls) and 3 (last)");
  m.pipeline.modules = {{.type = "Pooling", .folder = {}, .pooling = {.modes = {modes[pooling]}}, .dense = {}},
                        {.type = "Normalize", .folder = {}, .pooling = {}, .dense = {}}};
  m.similarity = "cosine";
  m.decisions = {{"pooling", modes[pooling], f.has(key) ? key : "assumed: there is no " + key},
                 {"normalize", "true", "llama.cpp's tools normalize"}};
  const bool verbatim = f.has("tokenizer.huggingface.json");
  m.tokenizer_json = verbatim ? std::string(f.get_string("tokenizer.huggingface.json")) : tokenizer_json_from_gguf(f);
  m.decisions.push_back({"tokenizer", verbatim ? "verbatim" : "rebuilt",
                         verbatim ? "tokenizer.huggingface.json" : "tokenizer.ggml.tokens"});
  const Linear* linear = nullptr;
  for (const WeightSpec& spec : m.weights.specs)
    if (!linear && spec.linear) linear = spec.linear;
  m.type = linear ? linear->parts[0].w.type->name : "f32";
  settle_max_length(m, 0);
}

// Adds the heads' weights behind the model's; where they begin.
size_t declare_heads(LoadedModel& m) {
  const size_t body = m.weights.specs.size();
  m.heads = std::make_unique<HeadWeights>();
  m.heads->declare(m.weights, m.pipeline, m.model->width(), m.model->vocabulary());
  return body;
}

// Gives back the pages of rows that panels were made of.
void release_rows(const LoadedModel& m) {
  for (const TensorInfo& tensor : m.gguf->tensors())
    for (const TypeInfo* type : all_types())
      if (type->make_panels && type->arrays[0].gguf_type == tensor.type)
        m.file.dont_need(static_cast<size_t>(tensor.data.data() - m.file.bytes().data()), tensor.data.size());
}

void load_gguf(LoadedModel& m) {
  m.format = "gguf";
  m.file = MappedFile::open(m.path);
  m.gguf = std::make_unique<GgufReader>(m.file.bytes(), m.path);
  m.architecture = &architecture_of_gguf(std::string(m.gguf->get_string("general.architecture")), m.path);
  m.model = m.architecture->make();
  GgufConfig config(*m.gguf, m.architecture->gguf);
  m.model->config(config);
  m.model->weights(m.weights);
  bind_weights(*m.gguf, m.weights.specs, m.store);
  load_gguf_settings(m);
  const size_t body = declare_heads(m);
  bind_weights(*m.gguf, std::span(m.weights.specs).subspan(body), m.store);
  release_rows(m);
}

// The layers of a folder's heads, which its architecture knows and its tensors complete.
void settle_heads(LoadedModel& m) {
  Pipeline& p = m.pipeline;
  if (p.classifier)
    p.classifier->layers =
        m.model->head(p.classifier->per_token ? Task::token_classification : Task::sequence_classification);
  if (p.sparse && p.sparse->over_vocabulary) p.sparse->layers = m.model->head(Task::masked_lm);
  if (p.multi_vector) p.multi_vector->width = m.hf->rows(p.multi_vector->hf_folder, "linear");
}

void load_folder(LoadedModel& m) {
  m.format = "folder";
  HfFolder folder = HfFolder::open(m.path);
  m.architecture = &architecture_of_hf(folder.model_type, m.path + "/config.json");
  m.hf = std::make_unique<HfWeights>(folder.dir, folder.transformer_folder, m.architecture->prefixes);
  m.model = m.architecture->make();
  JsonConfig config(folder.config_json, folder.weights_dir() + "/config.json");
  m.model->config(config);
  m.model->weights(m.weights);
  m.hf->bind(m.weights.specs, m.store);
  m.pipeline = std::move(folder.pipeline);
  settle_heads(m);
  const size_t body = declare_heads(m);
  m.hf->bind(std::span(m.weights.specs).subspan(body), m.store);
  for (const WeightSpec& spec : m.weights.specs)
    if (m.type.empty() && spec.linear) m.type = spec.linear->parts[0].w.type->name;
  m.prompts = std::move(folder.prompts);
  m.default_prompt = std::move(folder.default_prompt);
  m.chat = std::move(folder.chat);
  m.similarity = std::move(folder.similarity);
  m.matryoshka = folder.matryoshka;
  m.end_tokens.insert(folder.end_tokens.begin(), folder.end_tokens.end());
  m.repo = std::move(folder.repo);
  m.revision = std::move(folder.revision);
  m.decisions = std::move(folder.decisions);
  m.tokenizer_json = std::move(folder.tokenizer_json);
  settle_max_length(m, folder.max_length);
}

// Over the tables of a model file, where it has them: they are used in place.
void load_tokenizer(LoadedModel& m) {
  const std::string name = m.path + ": tokenizer.json";
  if (!m.gguf || m.gguf->get_uint_or("quern.layout_version", 0) < 2) {
    m.tokenizer = Tokenizer::parse(m.tokenizer_json, name);
    return;
  }
  const GgufReader& file = *m.gguf;
  const TableSource tables = {m.path, kTablePrefix,
                              [&](std::string_view table) -> std::optional<std::span<const std::byte>> {
                                const std::string key = kTablePrefix + std::string(table);
                                if (!file.has(key)) return std::nullopt;
                                return file.get_array<uint8_t>(key).bytes();
                              }};
  m.tokenizer = Tokenizer::parse(m.tokenizer_json, name, true, &tables);
}

}  // namespace

std::unique_ptr<LoadedModel> load_model(const std::string& spec) {
  auto m = std::make_unique<LoadedModel>();
  m->path = resolve_model_path(spec);
  if (is_folder(m->path)) {
    load_folder(*m);  // refuses pickle weights where there are no others
  } else {
    refuse_pickle(m->path);
    load_gguf(*m);
  }
  load_tokenizer(*m);
  check_tokenizer(*m);
  if (m->gguf && m->gguf->get_uint_or("quern.layout_version", 0) == 0)
    m->end_tokens = end_tokens_of(*m->gguf, *m->tokenizer);
  if (m->gguf) m->chat = chat_format_of(*m->gguf, *m->tokenizer);
  if (!m->pipeline.modules.empty())  // throws now rather than at the first text
    VectorHead(m->pipeline.modules, m->heads->modules, m->model->width(), m->path);
  if (m->pipeline.sparse && !m->pipeline.sparse->over_vocabulary)
    for (const char* piece : {"<s>", "</s>", "<pad>", "<unk>", "[CLS]", "[SEP]", "[PAD]", "[UNK]"})
      if (const int32_t id = m->tokenizer->id(piece); id >= 0) m->unweighted_ids.insert(id);
  m->device = std::make_shared<HostDevice>(default_kernels());
  for (const WeightSpec& spec : m->weights.specs)
    if (spec.linear) m->device->adopt(*spec.linear);
  return m;
}

Precision precision_of(const LoadedModel& m) {
  return find_type(m.type)->int8_activations ? Precision::i16 : Precision::f32;
}

}  // namespace quern
