#include "operations.h"

#include <cmath>

namespace server {
namespace {

// A batch as the C interface takes it.
struct Batch {
  explicit Batch(std::span<const TextInput* const> inputs) : info(inputs.size()) {
    for (const TextInput* t : inputs) {
      texts.push_back(t->text.data());
      lengths.push_back(t->text.size());
      if (!t->pair) continue;
      pairs.push_back(t->pair->data());
      pair_lengths.push_back(t->pair->size());
    }
  }
  size_t size() const { return texts.size(); }

  std::vector<const char*> texts, pairs;
  std::vector<size_t> lengths, pair_lengths;
  std::vector<quern_text_info> info;
};

Rows rows_of(const float* values, size_t rows, size_t width) {
  return {{values, values + rows * width}, width};
}

void embed(quern_session* session, const quern_embed_options& options, Batch& batch,
           std::span<TextOutput* const> outputs) {
  int64_t width = 0;
  check(quern_embed_width(session, &options, &width));
  const size_t w = static_cast<size_t>(width);
  std::vector<float> all(batch.size() * w);
  check(quern_embed(session, batch.texts.data(), batch.lengths.data(), batch.size(), &options, all.data(), all.size(),
                    nullptr));
  for (size_t i = 0; i < batch.size(); ++i) outputs[i]->dense = rows_of(&all[i * w], 1, w);
}

void encode(quern_session* session, const quern_embed_options& options, unsigned wanted, Batch& batch,
            std::span<TextOutput* const> outputs) {
  quern_encoded* made = nullptr;
  check(
      quern_encode(session, batch.texts.data(), batch.lengths.data(), batch.size(), &options, wanted, &made, nullptr));
  const EncodedHandle owner(made);
  for (size_t i = 0; i < batch.size(); ++i) {
    TextOutput& out = *outputs[i];
    size_t rows = 0, width = 0;
    const auto take = [&](decltype(&quern_encoded_dense) get) {
      const float* values = get(made, i, &rows, &width);
      return rows_of(values, rows, width);
    };
    out.dense = take(quern_encoded_dense);
    out.multi_vector = take(quern_encoded_multi_vector);
    out.states = take(quern_encoded_states);
    const int32_t* ids = nullptr;
    const float* weights = nullptr;
    const size_t n = quern_encoded_sparse(made, i, &ids, &weights);
    for (size_t j = 0; j < n; ++j) out.sparse.emplace_back(ids[j], weights[j]);
  }
}

void run_one(quern_session* session, const Encode& e, Batch& batch, std::span<TextOutput* const> outputs) {
  quern_embed_options options = quern_embed_options_default();
  const auto text = [](const auto& s) { return s ? s->c_str() : nullptr; };
  options.pooling = e.pooling.empty() ? nullptr : e.pooling.c_str();
  options.normalize = e.normalize;
  options.dimensions = e.dimensions;
  options.long_texts = e.long_texts;
  options.max_length = e.max_length;
  options.prompt = text(e.prompt);
  options.prompt_name = text(e.prompt_name);
  options.input_type = text(e.input_type);
  options.info = batch.info.data();
  if (e.outputs == QUERN_DENSE && e.long_texts != QUERN_LONG_CHUNKS)
    embed(session, options, batch, outputs);
  else
    encode(session, options, e.outputs, batch, outputs);
}

void run_one(quern_session* session, const Classify& c, Batch& batch, std::span<TextOutput* const> outputs) {
  quern_classify_options options = quern_classify_options_default();
  options.raw = c.raw;
  options.long_texts = c.long_texts;
  options.max_length = c.max_length;
  options.info = batch.info.data();
  std::vector<float> all(batch.size() * c.labels);
  check(quern_classify(session, batch.texts.data(), batch.lengths.data(),
                       batch.pairs.empty() ? nullptr : batch.pairs.data(), batch.pair_lengths.data(), batch.size(),
                       &options, all.data(), all.size(), nullptr));
  for (size_t i = 0; i < batch.size(); ++i) outputs[i]->dense = rows_of(&all[i * c.labels], 1, c.labels);
}

void run_one(quern_session* session, const ClassifyTokens& c, Batch& batch, std::span<TextOutput* const> outputs) {
  quern_classify_options options = quern_classify_options_default();
  options.long_texts = c.long_texts;
  options.info = batch.info.data();
  quern_spans* made = nullptr;
  check(quern_classify_tokens(session, batch.texts.data(), batch.lengths.data(), batch.size(), &options, c.grouped,
                              &made, nullptr));
  const SpansHandle owner(made);
  for (size_t i = 0; i < batch.size(); ++i) {
    size_t n = 0;
    const quern_span* spans = quern_spans_of(made, i, &n);
    outputs[i]->spans.assign(spans, spans + n);
  }
}

bool finite(const Rows& rows) {
  for (const float v : rows.values)
    if (!std::isfinite(v)) return false;
  return true;
}

// The library takes pairs or single texts: those of one kind.
void run_alike(quern_session* session, const Operation& operation, std::span<const TextInput* const> texts,
               std::span<TextOutput* const> outputs) {
  if (texts.empty()) return;
  Batch batch(texts);
  std::visit([&](const auto& o) { run_one(session, o, batch, outputs); }, operation);
  for (size_t i = 0; i < batch.size(); ++i) {
    TextOutput& out = *outputs[i];
    out.info = batch.info[i];
    if (!finite(out.dense) || !finite(out.multi_vector) || !finite(out.states))
      out.error = QuernError{QUERN_INTERNAL, "the model's output for this text is not finite"};
  }
}

}  // namespace

void run(quern_session* session, const Operation& operation, std::span<const TextInput* const> texts,
         std::span<TextOutput* const> outputs) {
  std::vector<const TextInput*> inputs[2];  // single ones, pairs
  std::vector<TextOutput*> places[2];
  for (size_t i = 0; i < texts.size(); ++i) {
    inputs[texts[i]->pair.has_value()].push_back(texts[i]);
    places[texts[i]->pair.has_value()].push_back(outputs[i]);
  }
  for (const int pairs : {0, 1}) run_alike(session, operation, inputs[pairs], places[pairs]);
}

}  // namespace server
