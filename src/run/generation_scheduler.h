// Sequences of all requests on their way through one decoder: a thread takes steps, in each of which every running
// sequence gets its next token and parts of new prompts are read beside them. What waits is let in in order, as soon as
// a place is free and the KV cache has room for the longest that it may become.
#pragma once
#include <atomic>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "generation/text_generator.h"
#include "run/scheduled.h"

namespace quern {

// A token of one of a request's choices, or its end.
struct ChoiceEvent {
  int choice;
  TextEvent event;
};

// One request: `choices` texts that go on with one prompt.
class ScheduledGeneration final : public Scheduled {
 public:
  // Each choice has a seed of its own, counted up.
  ScheduledGeneration(TextRequest request, int choices, RequestOptions options)
      : Scheduled(std::move(options)),
        prompt_tokens(request.prompt.size()),
        choices(choices),
        request_(std::move(request)) {}

  struct Usage {
    size_t reused_tokens = 0, generated_tokens = 0;  // reused: of the prompt, that were still kept, of the first choice
    double queue_seconds = 0, first_token_seconds = 0;  // from submission to its first step, and to its first event
  };
  Usage usage() const {
    std::lock_guard lock(mutex_);
    return usage_;
  }

  const size_t prompt_tokens;
  const int choices;

 private:
  friend class GenerationScheduler;
  using Place = std::list<std::shared_ptr<ScheduledGeneration>>::iterator;
  const TextRequest request_;
  std::deque<ChoiceEvent> events_;  // not taken yet
  Usage usage_;
  int ended_ = 0;                  // choices
  std::atomic<bool> over_{false};  // it has ended: what runs of it is cancelled
  // The scheduler's, under its lock.
  Clock::time_point queued_at_;
  bool queued_ = false;
  Place place_;  // while queued
  // The scheduler's thread's.
  int started_ = 0;
  bool answered_ = false;  // its first choice has a token, so its prompt is kept
};

// What generates: a TextGenerator. All from one thread.
class SequenceEngine {
 public:
  virtual ~SequenceEngine() = default;
  virtual KvPlan plan() const = 0;
  virtual int64_t sequences() const = 0;  // that may run at once
  virtual GeneratorStats stats() const = 0;
  virtual int64_t add(TextRequest request) = 0;        // may throw anything
  virtual void cancel(int64_t sequence) = 0;           // also of a failed step
  virtual void step(std::vector<TextEvent>& out) = 0;  // may throw anything, which concerns all sequences
};
std::unique_ptr<SequenceEngine> make_sequence_engine(std::shared_ptr<const LoadedModel> model,
                                                     const GeneratorOptions& options);

struct GenerationSchedulerOptions {
  size_t max_requests = 1024;  // that wait or run
  // Of all requests, that nobody has taken yet: beyond them a request ends that has its share of them, as many as would
  // fall on each of max_requests; beyond twice as many any does that gets one more.
  size_t max_events = size_t{1} << 20;
};

struct GenerationSchedulerStats {
  size_t requests = 0;          // that wait or run
  size_t waiting_tokens = 0;    // of prompts that have not begun
  size_t sequences = 0;         // that run
  size_t events = 0;            // that nobody has taken yet
  int64_t reserved_tokens = 0;  // of keys and values
  GeneratorStats generator;     // as of the last step
};

class GenerationScheduler {
 public:
  // Throws Error{out_of_memory} where no thread can be started.
  GenerationScheduler(std::unique_ptr<SequenceEngine> engine, GenerationSchedulerOptions options);
  ~GenerationScheduler() { stop(); }

  // From any thread. Throws Error{overloaded}, or {bad_argument} for a prompt that the context has no room for.
  void submit(const std::shared_ptr<ScheduledGeneration>& request);
  // The next of a request's events, from any of its choices, waiting until then at most. Without one, done says whether
  // it was the last. A deadline that passes meanwhile ends the request.
  std::optional<ChoiceEvent> next(ScheduledGeneration& request, Clock::time_point until, bool& done);
  // Ends a request that is not done yet, wherever it is.
  void cancel(ScheduledGeneration& request) noexcept;
  // Drops what nobody will take.
  void drop_events(ScheduledGeneration& request) noexcept;
  // Ends all requests and the thread. Not from on_ready.
  void stop() noexcept;

  const KvPlan& plan() const { return plan_; }
  GenerationSchedulerStats stats() const;

 private:
  using Shared = std::shared_ptr<ScheduledGeneration>;
  using Queue = std::list<Shared>;
  struct Running {
    Shared request;
    int choice;
    int64_t pages;  // reserved
  };
  using Sequences = std::map<int64_t, Running>;
  void loop();
  void expire() noexcept;
  void admit() noexcept;
  Shared next_to_start();
  void start(const Shared& request) noexcept;
  void drop_ended() noexcept;
  void step() noexcept;
  void take(TextEvent& event) noexcept;
  void give(ScheduledGeneration& request, ChoiceEvent&& event) noexcept;
  void cancel_running(Sequences::iterator at) noexcept;
  void fail_running(const Outcome& outcome) noexcept;
  bool end(ScheduledGeneration& request, const Outcome& outcome) noexcept;
  void finish(ScheduledGeneration& request, const Outcome& outcome) noexcept;
  void unqueue(ScheduledGeneration& request) noexcept;
  int64_t pages_for(const ScheduledGeneration& request) const;

  std::unique_ptr<SequenceEngine> engine_;
  const GenerationSchedulerOptions options_;
  const KvPlan plan_;
  const int64_t sequences_;
  mutable std::mutex mutex_;  // before any request's
  std::condition_variable wake_;
  Queue queue_;  // with choices that have not begun
  GeneratorStats generator_stats_;
  bool ending_ = false;
  std::atomic<size_t> requests_{0}, waiting_tokens_{0}, n_running_{0}, events_{0};
  std::atomic<int64_t> free_pages_;
  Sequences running_;  // of the thread
  std::vector<TextEvent> generated_;
  std::thread thread_;
};

}  // namespace quern
