// include/quern.h over the library: the scheduler for texts.
#include <cmath>

#include "c_api_adapter.h"
#include "c_api_results.h"
#include "c_api_schedule.h"
#include "run/text_scheduler.h"

using quern::c_api::guard;
using quern::c_api::merged;
using quern::c_api::require;

struct quern_text_scheduler {
  std::shared_ptr<quern::TextScheduler> rep;
  std::shared_ptr<const quern::LoadedModel> model;
};
struct quern_text_request {
  std::shared_ptr<quern::TextScheduler> scheduler;
  std::shared_ptr<const quern::LoadedModel> model;
  std::shared_ptr<quern::ScheduledTexts> rep;
};

quern_request_options quern_request_options_default(void) {
  return {.size = sizeof(quern_request_options), .timeout_ms = 0, .on_ready = nullptr, .user = nullptr};
}

quern_text_scheduler_options quern_text_scheduler_options_default(void) {
  return {.size = sizeof(quern_text_scheduler_options),
          .n_threads = 0,
          .batch_tokens = 16384,
          .max_requests = 1024,
          .on_batch = nullptr,
          .user = nullptr};
}

quern_status quern_text_scheduler_new(const quern_model* model, const quern_text_scheduler_options* options,
                                      quern_text_scheduler** scheduler) {
  return guard([&] {
    require(model && scheduler, "quern_text_scheduler_new: model and scheduler must not be NULL");
    *scheduler = nullptr;
    const quern_text_scheduler_options o = merged(options, quern_text_scheduler_options_default());
    require(o.n_threads >= 0 && o.n_threads <= 1024, "n_threads: expected 0 (all that are usable) to 1024");
    require(o.batch_tokens >= 1, "batch_tokens: expected 1 or more");
    require(o.max_requests >= 1, "max_requests: expected 1 or more");
    quern::TextSchedulerOptions t{
        .batch_tokens = o.batch_tokens, .max_requests = static_cast<size_t>(o.max_requests), .on_batch = {}};
    if (o.on_batch)
      t.on_batch = [f = o.on_batch, user = o.user](size_t texts, uint64_t tokens, double seconds) {
        f(user, texts, tokens, seconds);
      };
    auto made = std::make_unique<quern_text_scheduler>();
    made->model = model->rep;
    made->rep = std::make_shared<quern::TextScheduler>(quern::make_text_engine(model->rep, o.n_threads), std::move(t));
    *scheduler = made.release();
  });
}

void quern_text_scheduler_free(quern_text_scheduler* scheduler) {
  if (scheduler) scheduler->rep->stop();
  delete scheduler;
}
int quern_text_scheduler_threads(const quern_text_scheduler* scheduler) {
  return scheduler ? static_cast<int>(scheduler->rep->threads()) : 0;
}

quern_status quern_text_scheduler_stats_of(const quern_text_scheduler* scheduler, quern_text_scheduler_stats* stats) {
  return guard([&] {
    require(scheduler && stats, "quern_text_scheduler_stats_of: scheduler and stats must not be NULL");
    *stats = {scheduler->rep->requests(), static_cast<uint64_t>(scheduler->rep->waiting_tokens())};
  });
}

namespace {

std::vector<quern::TextInput> inputs_of(const char* call, const char* const* texts, const size_t* lengths, size_t n,
                                        const char* const* pairs, const size_t* pair_lengths) {
  std::vector<quern::TextInput> inputs;
  for (const std::string_view text : quern::c_api::texts_of(call, texts, lengths, n, quern::c_api::kMostTexts))
    inputs.push_back({std::string(text), {}});
  if (!pairs) return inputs;
  require(pair_lengths || n == 0, "pair_lengths must not be NULL where pairs is not");
  for (size_t i = 0; i < n; ++i)
    if (pairs[i]) inputs[i].pair.emplace(pairs[i], pair_lengths[i]);
  return inputs;
}

// options: of any kind, over their defaults.
template <class Options>
void name_adapters(const Options& o, const quern::LoadedModel& model, std::vector<quern::TextInput>& texts) {
  if (!o.adapter && !o.adapters) return;
  auto adapters = quern::c_api::adapters_of(o.adapter, o.adapters, texts.size(), model);
  for (size_t i = 0; i < texts.size(); ++i) texts[i].adapter = std::move(adapters[i]);
}

void submit(quern_text_scheduler& scheduler, quern::TextWork work, std::vector<quern::TextInput> texts,
            const quern_request_options* options, quern_text_request** request) {
  auto made = std::make_unique<quern_text_request>();
  made->scheduler = scheduler.rep;
  made->model = scheduler.model;
  made->rep = std::make_shared<quern::ScheduledTexts>(std::move(work), std::move(texts),
                                                      quern::c_api::request_options(options));
  quern::c_api::submit_request(*scheduler.rep, std::move(made), request);
}

quern::TextWork classify_work(quern::TextWork::Kind kind, const quern_classify_options& o) {
  quern::TextWork work;
  work.kind = kind;
  work.options = quern::c_api::classify_options(o);
  work.raw = o.raw != 0;
  return work;
}

// Of a request that is done and has what was asked for. Throws Error.
quern::ScheduledTexts& results_of(const quern_text_request* request) {
  require(request, "request must not be NULL");
  const quern::Outcome outcome = request->rep->outcome();
  require(request->rep->done() && outcome.status == quern::Status::ok, "the request is not done, or has no results");
  return *request->rep;
}

}  // namespace

quern_status quern_text_scheduler_encode(quern_text_scheduler* scheduler, const char* const* texts,
                                         const size_t* lengths, size_t n, const quern_embed_options* options,
                                         unsigned outputs, const quern_request_options* request_options,
                                         quern_text_request** request) {
  return guard([&] {
    require(scheduler && request, "quern_text_scheduler_encode: scheduler and request must not be NULL");
    *request = nullptr;
    quern::TextWork work;
    const quern_embed_options o = merged(options, quern_embed_options_default());
    work.options = quern::c_api::embed_options(o);
    work.wanted = quern::c_api::wanted_of(outputs);
    auto inputs = inputs_of("quern_text_scheduler_encode", texts, lengths, n, nullptr, nullptr);
    name_adapters(o, *scheduler->model, inputs);
    submit(*scheduler, std::move(work), std::move(inputs), request_options, request);
  });
}

quern_status quern_text_scheduler_classify(quern_text_scheduler* scheduler, const char* const* texts,
                                           const size_t* lengths, const char* const* pairs, const size_t* pair_lengths,
                                           size_t n, const quern_classify_options* options,
                                           const quern_request_options* request_options, quern_text_request** request) {
  return guard([&] {
    require(scheduler && request, "quern_text_scheduler_classify: scheduler and request must not be NULL");
    *request = nullptr;
    const quern_classify_options o = merged(options, quern_classify_options_default());
    auto inputs = inputs_of("quern_text_scheduler_classify", texts, lengths, n, pairs, pair_lengths);
    name_adapters(o, *scheduler->model, inputs);
    submit(*scheduler, classify_work(quern::TextWork::Kind::classify, o), std::move(inputs), request_options, request);
  });
}

quern_status quern_text_scheduler_classify_tokens(quern_text_scheduler* scheduler, const char* const* texts,
                                                  const size_t* lengths, size_t n,
                                                  const quern_classify_options* options, int grouped,
                                                  const quern_request_options* request_options,
                                                  quern_text_request** request) {
  return guard([&] {
    require(scheduler && request, "quern_text_scheduler_classify_tokens: scheduler and request must not be NULL");
    *request = nullptr;
    const quern_classify_options o = merged(options, quern_classify_options_default());
    quern::TextWork work = classify_work(quern::TextWork::Kind::classify_tokens, o);
    work.grouped = grouped != 0;
    auto inputs = inputs_of("quern_text_scheduler_classify_tokens", texts, lengths, n, nullptr, nullptr);
    name_adapters(o, *scheduler->model, inputs);
    submit(*scheduler, std::move(work), std::move(inputs), request_options, request);
  });
}

quern_status quern_text_request_wait(quern_text_request* request, int64_t timeout_ms, int* done) {
  return guard([&] {
    require(request && done, "quern_text_request_wait: request and done must not be NULL");
    const auto scheduler = request->scheduler;  // on_ready may free the handle
    const auto rep = request->rep;
    *done = scheduler->wait(*rep, quern::after_ms(timeout_ms)) ? 1 : 0;
    if (*done) quern::c_api::throw_unless_ok(rep->outcome());
  });
}

void quern_text_request_cancel(quern_text_request* request) {
  if (!request) return;
  request->rep->mute();
  request->scheduler->cancel(*request->rep);
}

void quern_text_request_free(quern_text_request* request) {
  quern_text_request_cancel(request);
  delete request;
}

quern_status quern_text_request_error(const quern_text_request* request, size_t i) {
  return guard([&] {
    const std::vector<quern::TextResult>& results = results_of(request).results();
    require(i < results.size(), "quern_text_request_error: there are fewer texts");
    quern::c_api::throw_unless_ok(results[i].outcome);
  });
}

quern_status quern_text_request_info(const quern_text_request* request, quern_text_info* info) {
  return guard([&] {
    const std::vector<quern::TextResult>& results = results_of(request).results();
    require(info || results.empty(), "quern_text_request_info: info must not be NULL");
    for (size_t i = 0; i < results.size(); ++i) info[i] = quern::c_api::info_of(results[i].info);
  });
}

quern_status quern_text_request_encoded(quern_text_request* request, quern_encoded** encoded) {
  return guard([&] {
    quern::ScheduledTexts& r = results_of(request);
    require(encoded, "quern_text_request_encoded: encoded must not be NULL");
    std::vector<quern::Encoded> texts(r.results().size());
    size_t width = 0;
    for (size_t i = 0; i < texts.size(); ++i) {
      if (r.results()[i].outcome.status != quern::Status::ok) continue;
      texts[i] = std::move(r.results()[i].encoded);
      width = r.results()[i].width;
    }
    *encoded = quern::c_api::encoded_of(*request->model, std::move(texts), width).release();
  });
}

quern_status quern_text_request_scores(quern_text_request* request, float* scores, size_t scores_len) {
  return guard([&] {
    const std::vector<quern::TextResult>& results = results_of(request).results();
    const size_t width = quern::pair_scores(*request->model);
    require(scores || results.empty(), "quern_text_request_scores: scores must not be NULL");
    require(width == 0 || results.size() <= scores_len / width,
            "quern_text_request_scores: there is no room for n rows");
    for (size_t i = 0; i < results.size(); ++i) {
      float* row = scores + i * width;
      const bool there = results[i].outcome.status == quern::Status::ok && results[i].scores.size() == width;
      if (there)
        std::copy(results[i].scores.begin(), results[i].scores.end(), row);
      else
        std::fill_n(row, width, NAN);
    }
  });
}

quern_status quern_text_request_spans(quern_text_request* request, quern_spans** spans) {
  return guard([&] {
    const std::vector<quern::TextResult>& results = results_of(request).results();
    require(spans, "quern_text_request_spans: spans must not be NULL");
    auto made = std::make_unique<quern_spans>();
    for (const quern::TextResult& result : results) quern::c_api::add_spans(*made, result.spans);
    *spans = made.release();
  });
}

quern_status quern_text_request_times(const quern_text_request* request, double* queue_seconds,
                                      double* compute_seconds) {
  return guard([&] {
    const quern::ScheduledTexts& r = results_of(request);
    if (queue_seconds) *queue_seconds = r.queue_seconds();
    if (compute_seconds) *compute_seconds = r.compute_seconds();
  });
}

quern_status quern_text_request_tokenize_time(const quern_text_request* request, double* seconds) {
  return guard([&] {
    require(seconds, "quern_text_request_tokenize_time: seconds must not be NULL");
    *seconds = results_of(request).tokenize_seconds();
  });
}
