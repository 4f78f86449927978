#include "text_service.h"

namespace server {
namespace {

// A request's texts as the C interface takes them.
struct Arrays {
  explicit Arrays(const std::vector<TextInput>& inputs) {
    for (const TextInput& t : inputs) {
      texts.push_back(t.text.data());
      lengths.push_back(t.text.size());
      pairs.push_back(t.pair ? t.pair->data() : nullptr);
      pair_lengths.push_back(t.pair ? t.pair->size() : 0);
    }
  }
  std::vector<const char*> texts, pairs;
  std::vector<size_t> lengths, pair_lengths;
};

Rows rows_of(const float* values, size_t rows, size_t width) {
  return {{values, values + rows * width}, width};
}

// What each operation asks the scheduler for, and how its results come out.
const char* text_or_null(const std::optional<std::string>& text) {
  return text ? text->c_str() : nullptr;
}

void submit(quern_text_scheduler* to, const Encode& e, const Arrays& a, const quern_adapter* adapter,
            const quern_request_options& options, quern_text_request** request) {
  quern_embed_options o = quern_embed_options_default();
  o.adapter = adapter;
  o.pooling = e.pooling.empty() ? nullptr : e.pooling.c_str();
  o.normalize = e.normalize;
  o.dimensions = e.dimensions;
  o.long_texts = e.long_texts;
  o.max_length = e.max_length;
  o.prompt = text_or_null(e.prompt);
  o.prompt_name = text_or_null(e.prompt_name);
  o.input_type = text_or_null(e.input_type);
  check(quern_text_scheduler_encode(to, a.texts.data(), a.lengths.data(), a.texts.size(), &o, e.outputs, &options,
                                    request));
}
void submit(quern_text_scheduler* to, const Classify& c, const Arrays& a, const quern_adapter* adapter,
            const quern_request_options& options, quern_text_request** request) {
  quern_classify_options o = quern_classify_options_default();
  o.adapter = adapter;
  o.raw = c.raw;
  o.long_texts = c.long_texts;
  o.max_length = c.max_length;
  o.prompt = text_or_null(c.prompt);
  o.prompt_name = text_or_null(c.prompt_name);
  check(quern_text_scheduler_classify(to, a.texts.data(), a.lengths.data(), a.pairs.data(), a.pair_lengths.data(),
                                      a.texts.size(), &o, &options, request));
}
void submit(quern_text_scheduler* to, const ClassifyTokens& c, const Arrays& a, const quern_adapter* adapter,
            const quern_request_options& options, quern_text_request** request) {
  quern_classify_options o = quern_classify_options_default();
  o.adapter = adapter;
  o.long_texts = c.long_texts;
  check(quern_text_scheduler_classify_tokens(to, a.texts.data(), a.lengths.data(), a.texts.size(), &o, c.grouped,
                                             &options, request));
}

void collect(quern_text_request* request, const Encode&, std::vector<TextOutput>& outputs) {
  quern_encoded* made = nullptr;
  check(quern_text_request_encoded(request, &made));
  const EncodedHandle owner(made);
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto take = [&](decltype(&quern_encoded_dense) get) {
      size_t rows = 0, width = 0;
      const float* values = get(made, i, &rows, &width);
      return rows_of(values, rows, width);
    };
    outputs[i].dense = take(quern_encoded_dense);
    outputs[i].multi_vector = take(quern_encoded_multi_vector);
    outputs[i].states = take(quern_encoded_states);
    const int32_t* ids = nullptr;
    const float* weights = nullptr;
    const size_t n = quern_encoded_sparse(made, i, &ids, &weights);
    for (size_t j = 0; j < n; ++j) outputs[i].sparse.emplace_back(ids[j], weights[j]);
  }
}
void collect(quern_text_request* request, const Classify& c, std::vector<TextOutput>& outputs) {
  std::vector<float> all(outputs.size() * c.labels);
  check(quern_text_request_scores(request, all.data(), all.size()));
  for (size_t i = 0; i < outputs.size(); ++i) outputs[i].dense = rows_of(&all[i * c.labels], 1, c.labels);
}
void collect(quern_text_request* request, const ClassifyTokens&, std::vector<TextOutput>& outputs) {
  quern_spans* made = nullptr;
  check(quern_text_request_spans(request, &made));
  const SpansHandle owner(made);
  for (size_t i = 0; i < outputs.size(); ++i) {
    size_t n = 0;
    const quern_span* spans = quern_spans_of(made, i, &n);
    outputs[i].spans.assign(spans, spans + n);
  }
}

}  // namespace

Refusal refusal_of(const QuernError& e) {
  switch (e.status) {
    case QUERN_BAD_ARGUMENT:
    case QUERN_UNSUPPORTED:
      return {Reason::validation, e.message};
    case QUERN_OUT_OF_MEMORY:
      return {Reason::memory, e.message};
    case QUERN_OVERLOADED:
      return {Reason::overloaded, e.message};
    case QUERN_DEADLINE_EXCEEDED:
      return {Reason::deadline, e.message};
    default:
      return {Reason::failed, e.message};
  }
}

Refusal refusal_of_current() {
  try {
    throw;
  } catch (const Refusal& refusal) {
    return refusal;
  } catch (const QuernError& e) {
    return refusal_of(e);
  } catch (const std::bad_alloc&) {
    return {Reason::memory, "out of memory"};
  } catch (const std::exception& e) {
    return {Reason::internal, e.what()};
  } catch (...) {
    return {Reason::internal, "unknown error"};
  }
}

TextService::TextService(const quern_model* model, quern_text_scheduler_options options, Metrics& metrics,
                         const std::string& name)
    : batch_texts_(metrics.sizes("quern_batch_texts", label("model", name))),
      batch_tokens_(metrics.sizes("quern_batch_tokens", label("model", name))),
      tokens_(metrics.counter("quern_prompt_tokens_total", label("model", name))) {
  options.on_batch = [](void* user, size_t texts, uint64_t tokens, double) {
    static_cast<TextService*>(user)->on_batch(texts, tokens);
  };
  options.user = this;
  quern_text_scheduler* made = nullptr;
  check(quern_text_scheduler_new(model, &options, &made));
  scheduler_.reset(made);
}

void TextService::on_batch(size_t texts, uint64_t tokens) {
  batch_texts_.observe(static_cast<double>(texts));
  batch_tokens_.observe(static_cast<double>(tokens));
  tokens_.add(static_cast<double>(tokens));
}

quern_text_scheduler_stats TextService::stats() const {
  quern_text_scheduler_stats stats{};
  check(quern_text_scheduler_stats_of(scheduler_.get(), &stats));
  return stats;
}

void TextService::run(TextJob& job, const Patience& patience) {
  quern_request_options options = quern_request_options_default();
  options.timeout_ms = patience.timeout_ms();
  quern_text_request* made = nullptr;
  std::visit([&](const auto& o) { submit(scheduler_.get(), o, Arrays(job.texts), job.adapter, options, &made); },
             job.operation);
  const TextRequestHandle request(made);
  for (int done = 0; !done;) {
    check(quern_text_request_wait(made, kLookMs, &done));
    if (!done && patience.gone()) throw Refusal{Reason::deadline, "the client has gone"};
  }
  job.outputs.resize(job.texts.size());
  std::visit([&](const auto& o) { collect(made, o, job.outputs); }, job.operation);
  std::vector<quern_text_info> info(job.texts.size());
  check(quern_text_request_info(made, info.data()));
  for (size_t i = 0; i < info.size(); ++i) {
    job.outputs[i].info = info[i];
    const quern_status status = quern_text_request_error(made, i);
    if (status != QUERN_OK) job.outputs[i].error = QuernError{status, quern_last_error()};
  }
  double queued = 0, computed = 0;
  check(quern_text_request_times(made, &queued, &computed));
  job.queue_ms = queued * 1000;
  job.compute_ms = computed * 1000;
  double tokenized = 0;
  check(quern_text_request_tokenize_time(made, &tokenized));
  job.tokenization_ms = tokenized * 1000;
}

}  // namespace server
