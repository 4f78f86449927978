// Sequences of all requests on their way through one decoder: a thread takes steps, in each of which every running
// sequence gets its next token and parts of new prompts are read beside them. What waits is let in in order, as soon as
// a place is free and the KV cache has room for the longest that it may become.
#pragma once
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "handles.h"
#include "metrics.h"
#include "text_queue.h"

namespace server {

// A token of one of a request's texts, or its end.
struct GenerationEvent {
  int choice = 0;
  int32_t token = -1;  // -1: none
  std::string text = {};
  float logprob = 0;
  std::vector<quern_token_logprob> top = {};
  quern_finish finish = QUERN_FINISH_NONE;
  std::optional<QuernError> error = {};
};

struct GenerationJob {
  std::vector<int32_t> prompt;
  quern_generation_options options = quern_generation_options_default();
  int choices = 1;  // texts; each has a seed of its own, counted up from the options'
  // What the options point to.
  std::vector<std::string> stop;
  std::string grammar, json_schema;
  std::vector<int32_t> bias_ids;
  std::vector<float> bias;

  size_t reused = 0;  // tokens of the prompt that were still kept, of the first text
  double queue_ms = 0;
  void point();  // the options at the above

 private:
  friend class GenerationQueue;
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<GenerationEvent> events;
  int started = 0, ended = 0;
  bool answered = false;  // its first text has a token, so its prompt is kept
  bool left = false;      // not counted among the waiting any more
  std::atomic<bool> abandoned{false};
  Clock::time_point queued;
  std::vector<const char*> stop_pointers;
};

struct GenerationLimits {
  quern_generator_options generator = quern_generator_options_default();
  size_t requests = 1024;  // that wait or run
};

class GenerationQueue {
 public:
  // Throws QuernError.
  GenerationQueue(const quern_model* model, const GenerationLimits& limits, Metrics& metrics, const std::string& name);
  ~GenerationQueue();

  // Throws Refusal: overloaded, or a prompt that the context has no room for.
  void submit(const std::shared_ptr<GenerationJob>& job);
  // The next of a job's events, from any of its texts; nullopt after the last. Throws Refusal once patience is over.
  std::optional<GenerationEvent> next(GenerationJob& job, const Patience& patience);
  // Nobody wants the rest.
  void abandon(GenerationJob& job);

  int64_t context() const { return context_; }
  uint64_t kv_bytes() const { return kv_bytes_; }
  size_t waiting() const { return waiting_; }    // requests, those that run too
  int64_t waiting_tokens();                      // of prompts that have not begun
  size_t running() const { return n_running_; }  // sequences

 private:
  struct Running {
    std::shared_ptr<GenerationJob> job;
    int choice;
    int64_t reserved;  // tokens
  };
  void loop();
  void admit();
  bool start(const std::shared_ptr<GenerationJob>& job);
  void cancel_abandoned();
  void take(const quern_token_event& event);
  void give(GenerationJob& job, GenerationEvent event);
  void leave(GenerationJob& job);
  int64_t reservation(const GenerationJob& job) const;

  const GenerationLimits limits_;
  GeneratorHandle generator_;
  uint64_t kv_bytes_ = 0;
  int64_t context_ = 0, room_ = 0;  // tokens of a sequence; that keys and values may be kept of, less what is reserved
  Counter &prompt_tokens_, &reused_tokens_, &generated_tokens_;
  Histogram& first_token_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<GenerationJob>> jobs_;  // with texts that have not begun
  std::map<int64_t, Running> running_;               // by sequence; of the loop's thread
  std::atomic<size_t> waiting_{0}, n_running_{0};
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace server
