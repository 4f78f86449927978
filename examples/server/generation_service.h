// Prompts through a decoder: the library's scheduler, with metrics.
#pragma once
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "gate.h"
#include "metrics.h"
#include "patience.h"

namespace server {

// A token of one of a request's texts, or its end.
struct GenerationEvent {
  int choice = 0;
  int32_t token = -1;  // -1: none
  std::string text = {};
  float logprob = 0;
  std::vector<quern_token_logprob> top = {};
  quern_finish finish = QUERN_FINISH_NONE;
};

struct GenerationJob {
  std::vector<int32_t> prompt;
  quern_generation_options options = quern_generation_options_default();
  int choices = 1;  // texts; each has a seed of its own, counted up from the options'
  // What the options point to.
  std::vector<std::string> stop;
  std::string grammar, json_schema;
  std::vector<int32_t> bias_ids, shown;
  std::vector<float> bias;
  std::shared_ptr<const quern_tools> tools;  // that a chat offers, or null

  GenerationRequestHandle request;  // once it is submitted
  bool begun = false;               // an event of it was taken
  quern_generation_usage usage() const;
};

class GenerationService {
 public:
  struct Limits {
    quern_generator_options generator = quern_generator_options_default();
    quern_generation_scheduler_options scheduler = quern_generation_scheduler_options_default();
  };
  // Throws QuernError.
  GenerationService(const quern_model* model, const Limits& limits, Metrics& metrics, const std::string& name);
  ~GenerationService() { count(); }

  // on_ready(user): as in quern_request_options, or null. Throws QuernError: overloaded, or a prompt that the context
  // has no room for.
  void submit(GenerationJob& job, const Patience& patience, void (*on_ready)(void* user), void* user);
  // The next of a job's events, from any of its texts. Without one, done says whether it was the last. Throws
  // QuernError for a job that failed.
  std::optional<GenerationEvent> next(GenerationJob& job, int64_t wait_ms, bool& done);

  // What it has room for, in words; and what would give it more, where that is less than was asked for.
  std::string room() const;
  int64_t context() const { return quern_generation_scheduler_context(scheduler_.get()); }
  quern_generation_scheduler_stats stats() const;
  void count();  // adds to the counters what came since the last time

 private:
  Counter &prompt_tokens_, &reused_tokens_, &generated_tokens_;
  Histogram& first_token_;
  const int64_t sequences_;
  const std::string kv_type_;
  const bool bounded_;  // by a kv_memory that was given
  GenerationSchedulerHandle scheduler_;
  Gate compiling_{2, 1024};  // grammars, which may take a second each
  std::mutex mutex_;
  quern_generator_stats counted_{};
};

}  // namespace server
