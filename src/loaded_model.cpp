#include "loaded_model.h"

#include <algorithm>

#include "dispatch.h"
#include "error.h"
#include "heads/vector_head.h"
#include "host_device.h"

namespace quern {
namespace {

// The largest tokenizer id must have a row in the token table, and the special tokens must leave room for text.
void check_tokenizer(const LoadedModel& m) {
  if (static_cast<int64_t>(m.tokenizer->vocab_size()) > m.model->vocabulary())
    throw Error(Status::bad_file, m.path + ": the tokenizer has ids up to " +
                                      std::to_string(m.tokenizer->vocab_size() - 1) + ", but the token embedding has " +
                                      std::to_string(m.model->vocabulary()) + " rows");
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

}  // namespace

std::unique_ptr<LoadedModel> load_model(const std::string& spec) {
  auto m = std::make_unique<LoadedModel>();
  m->source = open_source(spec);
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
  if (m->pipeline.sparse && !m->pipeline.sparse->over_vocabulary)
    for (const char* piece : {"<s>", "</s>", "<pad>", "<unk>", "[CLS]", "[SEP]", "[PAD]", "[UNK]"})
      if (const int32_t id = m->tokenizer->id(piece); id >= 0) m->unweighted_ids.insert(id);
  m->device = std::make_shared<HostDevice>(default_kernels());
  if (m->device->adopt(m->weights.linears()))
    for (const WeightSpec& weight : m->weights.specs)
      if (weight.linear) source.weights().done_with(weight);
  return m;
}

Precision precision_of(const LoadedModel& m) {
  return find_type(m.type)->int8_activations ? Precision::i16 : Precision::f32;
}

}  // namespace quern
