#include "loaded_model.h"

#include <algorithm>

#include "cpu.h"
#include "dispatch.h"
#include "error.h"
#include "heads/vector_head.h"
#include "host_device.h"
#include "parallel.h"

namespace quern {
namespace {

// Every token of the tokenizer's model must have a row in the token table. Added ones may lie behind it, as those for
// images do in a model of text alone: a text that has one is refused.
void check_tokenizer(LoadedModel& m) {
  const int64_t tokens = static_cast<int64_t>(m.tokenizer->vocab_size()), rows = m.model->vocabulary();
  bool added = true;
  for (int64_t id = rows; id < tokens && added; ++id) added = m.tokenizer->is_added(static_cast<int32_t>(id));
  if (!added)
    throw Error(Status::bad_file, m.path + ": the tokenizer has ids up to " +
                                      std::to_string(m.tokenizer->vocab_size() - 1) + ", but the token embedding has " +
                                      std::to_string(m.model->vocabulary()) + " rows");
  if (tokens > rows)
    m.decisions.push_back({"tokens", std::to_string(rows),
                           "the token embedding's rows; texts with one of the tokenizer's " +
                               std::to_string(tokens - rows) + " added tokens behind them are refused"});
}

void settle_max_length(LoadedModel& m) {
  const size_t wanted = m.max_length, positions = static_cast<size_t>(m.model->positions());
  m.max_length = wanted == 0 ? positions : std::min(wanted, positions);
  if (wanted > positions)
    m.decisions.push_back({"max_length", std::to_string(positions),
                           "the position table's rows (the settings say " + std::to_string(wanted) + ")"});
}

// Where the source does not name it: the first linear layer's.
void settle_type(LoadedModel& m) {
  for (const WeightSpec& spec : m.weights.specs)
    if (m.type.empty() && spec.linear) m.type = spec.linear->parts[0].w.type->name;
  if (m.type.empty()) m.type = "f32";
}

// Declares the heads' weights behind the model's and binds them.
void bind_heads(LoadedModel& m) {
  const size_t body = m.weights.specs.size();
  m.heads = std::make_unique<HeadWeights>();
  m.heads->declare(m.weights, m.pipeline, m.model->width(), m.model->vocabulary());
  m.source->weights().bind(std::span(m.weights.specs).subspan(body), m.store);
}

// Tokens that none sees are for encoders.
void check_expansion(const LoadedModel& m) {
  const auto& late = m.pipeline.multi_vector->late;
  if (!late || late->expanded_length == 0 || late->expansion_is_seen || m.model->language_head().kv.layers == 0) return;
  throw Error(Status::unsupported,
              m.path +
                  ": queries are expanded by tokens that are not attended to, which quern does not run with a "
                  "causal model; expansion tokens that are attended to run");
}

}  // namespace

std::unique_ptr<LoadedModel> load_model(const std::string& spec, WeightChanges* changes, const DeviceChoice& choice) {
  auto m = std::make_unique<LoadedModel>();
  m->source = open_source(spec, changes);
  ModelSource& source = *m->source;
  m->path = source.path();
  m->format = source.format();
  m->architecture = &source.architecture();
  m->model = m->architecture->make();
  m->model->config(source.config());
  m->model->weights(m->weights);
  source.weights().bind(m->weights.specs, m->store);
  static_cast<ModelSettings&>(*m) = source.settings(*m->model);
  settle_type(*m);
  settle_max_length(*m);
  bind_heads(*m);
  m->tokenizer = source.tokenizer(*m);
  check_tokenizer(*m);
  source.complete(*m, *m->tokenizer);
  if (!m->pipeline.modules.empty())  // throws now rather than at the first text
    VectorHead(m->pipeline.modules, m->heads->modules, m->model->width(), m->path);
  if (const auto& head = m->pipeline.multi_vector) {
    check_token_widths(*head, m->model->width(), m->path);
    const auto id_of = [&](const std::string& piece) { return m->tokenizer->id(piece); };
    m->token_choice = token_choice(*head, id_of, m->path);
    check_expansion(*m);
  }
  if (m->pipeline.sparse && !m->pipeline.sparse->over_vocabulary)
    for (const char* piece : {"<s>", "</s>", "<pad>", "<unk>", "[CLS]", "[SEP]", "[PAD]", "[UNK]"})
      if (const int32_t id = m->tokenizer->id(piece); id >= 0) m->unweighted_ids.insert(id);
  m->offload = place_model(*m, choice);
  m->device = std::make_shared<HostDevice>(default_kernels());
  const bool elsewhere = m->offload.device && m->offload.first_layer <= 0;  // all of its linears
  m->adopted = elsewhere || m->device->adopt(m->weights.linears());
  Pool pool(m->model->derives() ? usable_cpus() : 1);
  m->model->derive(*m->device->ops({.precision = precision_of(*m), .pool = &pool}));
  if (m->adopted)
    for (const WeightSpec& weight : m->weights.specs)
      if (weight.linear) source.weights().done_with(weight);
  return m;
}

bool generates(const LoadedModel& m) {
  return m.model->language_head().linear && (!m.pipeline.classifier || m.pipeline.classifier->next_token);
}

uint64_t mapped_bytes(const LoadedModel& m) {
  if (m.adopted) return 0;
  const uint64_t all = m.source->weights().contents().bytes;
  return all - std::min(all, m.store.bytes());
}

Precision precision_of(const LoadedModel& m) {
  return find_type(m.type)->int8_activations ? Precision::i16 : Precision::f32;
}

}  // namespace quern
