#include "generation_service.h"

#include <utility>

#include "wording.h"

namespace server {

quern_generation_usage GenerationJob::usage() const {
  quern_generation_usage usage{};
  if (request) check(quern_generation_request_usage(request.get(), &usage));
  return usage;
}

GenerationService::GenerationService(const quern_model* model, const Limits& limits, Metrics& metrics,
                                     const std::string& name)
    : prompt_tokens_(metrics.counter("quern_prompt_tokens_total", label("model", name))),
      reused_tokens_(metrics.counter("quern_reused_tokens_total", label("model", name))),
      generated_tokens_(metrics.counter("quern_generated_tokens_total", label("model", name))),
      first_token_(metrics.seconds("quern_first_token_seconds", label("model", name))),
      sequences_(limits.generator.sequences),
      kv_type_(limits.generator.kv_type ? limits.generator.kv_type : quern_kv_type(0)),
      bounded_(limits.generator.kv_memory > 0) {
  quern_generation_scheduler* made = nullptr;
  check(quern_generation_scheduler_new(model, &limits.generator, &limits.scheduler, &made));
  scheduler_.reset(made);
}

std::string GenerationService::room() const {
  const quern_generation_scheduler_stats now = stats();
  const auto whole = [this](uint64_t tokens) { return tokens / static_cast<uint64_t>(context()); };
  std::string text = "contexts of " + std::to_string(context()) + " tokens, up to " + std::to_string(sequences_) +
                     " sequences at once; " + mib_text(now.kv_bytes) + " for keys and values (" + kv_type_ + ")";
  const uint64_t full = whole(now.kv_tokens);
  if (full >= static_cast<uint64_t>(sequences_) || bounded_) return text;
  return text + ", as much as there is beside the weights: room for " + std::to_string(now.kv_tokens) +
         " tokens of all sequences together. A smaller --ctx, fewer --sequences or --kv-type i8 need less";
}

void GenerationService::submit(GenerationJob& job, const Patience& patience, void (*on_ready)(void* user), void* user) {
  std::vector<const char*> stop;
  for (const std::string& s : job.stop) stop.push_back(s.c_str());
  quern_generation_options options = job.options;
  options.stop = stop.data();
  options.n_stop = stop.size();
  options.bias_ids = job.bias_ids.data();
  options.bias = job.bias.data();
  options.n_bias = job.bias_ids.size();
  options.shown_ids = job.shown.data();
  options.n_shown = job.shown.size();
  options.grammar = job.grammar.empty() ? nullptr : job.grammar.c_str();
  options.json_schema = job.json_schema.empty() ? nullptr : job.json_schema.c_str();
  quern_request_options r = quern_request_options_default();
  r.timeout_ms = patience.timeout_ms();
  r.on_ready = on_ready;
  r.user = user;
  quern_generation_request* made = nullptr;
  std::optional<Gate::Pass> pass;
  if (options.grammar || options.json_schema) pass.emplace(compiling_.enter(patience));
  check(quern_generation_scheduler_add(scheduler_.get(), job.prompt.data(), job.prompt.size(), &options, job.choices,
                                       &r, &made));
  job.request.reset(made);
}

std::optional<GenerationEvent> GenerationService::next(GenerationJob& job, int64_t wait_ms, bool& done) {
  const quern_token_event* e = nullptr;
  int ended = 0;
  check(quern_generation_request_next(job.request.get(), wait_ms, &e, &ended));
  done = ended != 0;
  if (!e) return std::nullopt;
  if (!std::exchange(job.begun, true)) first_token_.observe(job.usage().first_token_seconds);
  if (e->finish == QUERN_FINISH_ERROR)
    throw QuernError{e->status == QUERN_OK ? QUERN_INTERNAL : e->status, e->error ? e->error : "the sequence failed"};
  return GenerationEvent{static_cast<int>(e->sequence), e->token, std::string(e->text, e->length), e->logprob,
                         {e->top, e->top + e->n_top},   e->finish};
}

quern_generation_scheduler_stats GenerationService::stats() const {
  quern_generation_scheduler_stats stats{};
  check(quern_generation_scheduler_stats_of(scheduler_.get(), &stats));
  return stats;
}

void GenerationService::count() {
  std::lock_guard lock(mutex_);
  const quern_generator_stats now = stats().generator;
  prompt_tokens_.add(static_cast<double>(now.prompt_tokens - counted_.prompt_tokens));
  reused_tokens_.add(static_cast<double>(now.reused_tokens - counted_.reused_tokens));
  generated_tokens_.add(static_cast<double>(now.generated_tokens - counted_.generated_tokens));
  counted_ = now;
}

}  // namespace server
