// include/quern.h over the library: the scheduler for generation.
#include "c_api_generation.h"
#include "c_api_schedule.h"
#include "run/generation_scheduler.h"

using quern::c_api::guard;
using quern::c_api::merged;
using quern::c_api::require;

struct quern_generation_scheduler {
  std::shared_ptr<const quern::LoadedModel> model;
  std::shared_ptr<quern::GenerationScheduler> rep;
};
struct quern_generation_request {
  std::shared_ptr<quern::GenerationScheduler> scheduler;
  std::shared_ptr<quern::ScheduledGeneration> rep;
  quern::ChoiceEvent event;  // that the caller looks at
  quern::c_api::EventView view;
};

quern_generation_scheduler_options quern_generation_scheduler_options_default(void) {
  return {.size = sizeof(quern_generation_scheduler_options), .max_requests = 1024, .max_events = int64_t{1} << 20};
}

quern_status quern_generation_scheduler_new(const quern_model* model, const quern_generator_options* generator,
                                            const quern_generation_scheduler_options* options,
                                            quern_generation_scheduler** scheduler) {
  return guard([&] {
    require(model && scheduler, "quern_generation_scheduler_new: model and scheduler must not be NULL");
    *scheduler = nullptr;
    const quern_generation_scheduler_options o = merged(options, quern_generation_scheduler_options_default());
    require(o.max_requests >= 1 && o.max_events >= 1, "max_requests, max_events: expected 1 or more");
    auto made = std::make_unique<quern_generation_scheduler>();
    made->model = model->rep;
    made->rep = std::make_shared<quern::GenerationScheduler>(
        quern::make_sequence_engine(model->rep, quern::c_api::generator_options_of(generator)),
        quern::GenerationSchedulerOptions{.max_requests = static_cast<size_t>(o.max_requests),
                                          .max_events = static_cast<size_t>(o.max_events)});
    *scheduler = made.release();
  });
}

void quern_generation_scheduler_free(quern_generation_scheduler* scheduler) {
  if (scheduler) scheduler->rep->stop();
  delete scheduler;
}
int64_t quern_generation_scheduler_context(const quern_generation_scheduler* scheduler) {
  return scheduler ? scheduler->rep->plan().context : 0;
}

quern_status quern_generation_scheduler_stats_of(const quern_generation_scheduler* scheduler,
                                                 quern_generation_scheduler_stats* stats) {
  return guard([&] {
    require(scheduler && stats, "quern_generation_scheduler_stats_of: scheduler and stats must not be NULL");
    const quern::GenerationSchedulerStats s = scheduler->rep->stats();
    const quern::KvPlan& plan = scheduler->rep->plan();
    *stats = {.requests = s.requests,
              .waiting_tokens = s.waiting_tokens,
              .sequences = s.sequences,
              .events = s.events,
              .kv_bytes = plan.bytes(),
              .kv_tokens = static_cast<uint64_t>(plan.tokens()),
              .kv_reserved_tokens = static_cast<uint64_t>(s.reserved_tokens),
              .generator = quern::c_api::stats_of(s.generator)};
  });
}

quern_status quern_generation_scheduler_add(quern_generation_scheduler* scheduler, const int32_t* ids, size_t n,
                                            const quern_generation_options* options, int choices,
                                            const quern_request_options* request_options,
                                            quern_generation_request** request) {
  return guard([&] {
    require(scheduler && (ids || n == 0) && request,
            "quern_generation_scheduler_add: scheduler, ids and request must not be NULL");
    *request = nullptr;
    require(choices >= 1 && choices <= 1024, "choices: expected 1 to 1024");
    auto made = std::make_unique<quern_generation_request>();
    made->scheduler = scheduler->rep;
    quern::TextRequest text = quern::c_api::text_request_of(options, {ids, n});
    text.compiled = quern::compile_grammar(
        text, *scheduler->model->tokenizer);  // here, and once for all choices: nobody else waits for it
    text.grammar = text.json_schema = {};
    made->rep = std::make_shared<quern::ScheduledGeneration>(std::move(text), choices,
                                                             quern::c_api::request_options(request_options));
    quern::c_api::submit_request(*scheduler->rep, std::move(made), request);
  });
}

quern_status quern_generation_request_next(quern_generation_request* request, int64_t timeout_ms,
                                           const quern_token_event** event, int* done) {
  return guard([&] {
    require(request && event && done, "quern_generation_request_next: request, event and done must not be NULL");
    *event = nullptr;
    *done = 0;
    bool ended = false;
    const auto scheduler = request->scheduler;  // on_ready may free the handle
    const auto rep = request->rep;
    auto next = scheduler->next(*rep, quern::after_ms(timeout_ms), ended);
    if (next) {
      request->event = std::move(*next);
      *event = &request->view.of(request->event.event, request->event.choice);
    } else if (ended) {
      *done = 1;
      quern::c_api::throw_unless_ok(rep->outcome());
    }
  });
}

void quern_generation_request_cancel(quern_generation_request* request) {
  if (!request) return;
  request->rep->mute();
  request->scheduler->cancel(*request->rep);
}

void quern_generation_request_free(quern_generation_request* request) {
  quern_generation_request_cancel(request);
  if (request) request->scheduler->drop_events(*request->rep);
  delete request;
}

quern_status quern_generation_request_usage(const quern_generation_request* request, quern_generation_usage* usage) {
  return guard([&] {
    require(request && usage, "quern_generation_request_usage: request and usage must not be NULL");
    const quern::ScheduledGeneration::Usage u = request->rep->usage();
    *usage = {.prompt_tokens = request->rep->prompt_tokens,
              .reused_tokens = u.reused_tokens,
              .generated_tokens = u.generated_tokens,
              .queue_seconds = u.queue_seconds,
              .first_token_seconds = u.first_token_seconds};
  });
}
