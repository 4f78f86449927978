// Texts of all requests on their way through one model. Each of its threads takes a part of what waits, a share of each
// request in turn, and runs it in one call without padding: none waits for another. A text by itself has all threads.
#pragma once
#include <atomic>
#include <list>
#include <memory>
#include <thread>
#include <vector>

#include "run/text_work.h"

namespace quern {

// The texts of one request: held by whoever made it and, until it is done, by the scheduler.
class ScheduledTexts final : public Scheduled {
 public:
  ScheduledTexts(TextWork work, std::vector<TextInput> texts, RequestOptions options)
      : Scheduled(std::move(options)),
        work(std::move(work)),
        texts(std::move(texts)),
        results_(this->texts.size()),
        left_(this->texts.size()) {}

  const TextWork work;
  const std::vector<TextInput> texts;
  // Of a request that is done, in the texts' order; unspecified where its outcome is not ok.
  std::vector<TextResult>& results() { return results_; }
  // Until its first text ran; of the calls that it was in.
  double queue_seconds() const { return queue_seconds_; }
  double compute_seconds() const { return compute_seconds_; }
  double tokenize_seconds() const;  // of all its texts, which several threads may have shared

 private:
  friend class TextScheduler;
  using Place = std::list<std::shared_ptr<ScheduledTexts>>::iterator;
  std::vector<TextResult> results_;
  size_t left_;  // texts without a result
  double compute_seconds_ = 0;
  // The scheduler's, under its lock.
  double queue_seconds_ = 0;
  Clock::time_point queued_at_;
  size_t taken_ = 0;
  bool queued_ = false;
  Place place_;  // while queued
};

// What runs texts.
class TextEngine {
 public:
  static constexpr int kAll = -1;
  virtual ~TextEngine() = default;
  virtual int threads() const = 0;         // calls that may run at once
  virtual int64_t max_length() const = 0;  // tokens of a text
  // thread: below threads(), one call on each at a time; kAll: with all threads, one call at a time. May throw
  // anything.
  virtual void run(int thread, const TextWork& work, std::span<const TextInput* const> texts,
                   std::span<TextResult> results) = 0;
};
// Sessions over a model. n_threads 0: as many as this process may use.
std::unique_ptr<TextEngine> make_text_engine(std::shared_ptr<const LoadedModel> model, int n_threads);

struct TextSchedulerOptions {
  int64_t batch_tokens = 16384;  // of one call, at most
  size_t max_requests = 1024;    // that wait or run
  // After each call, from its thread; must not throw.
  std::function<void(size_t texts, uint64_t tokens, double seconds)> on_batch = {};
};

class TextScheduler {
 public:
  // Runs with the threads that can be started; throws Error{out_of_memory} where that is none.
  TextScheduler(std::unique_ptr<TextEngine> engine, TextSchedulerOptions options);
  ~TextScheduler() { stop(); }

  // From any thread. Throws Error{overloaded}.
  void submit(const std::shared_ptr<ScheduledTexts>& request);
  // Waits for the end of a request, until then at most; whether it is done. A deadline that passes meanwhile ends it.
  bool wait(ScheduledTexts& request, Clock::time_point until);
  // Ends a request that is not done yet: what of it waits is dropped, what runs has no results.
  void cancel(ScheduledTexts& request) noexcept;
  // Ends all requests and the threads. Not from on_ready or on_batch.
  void stop() noexcept;

  size_t threads() const { return threads_.size(); }
  size_t requests() const { return requests_; }               // that wait or run
  int64_t waiting_tokens() const { return waiting_tokens_; }  // about, of texts that were not taken yet

 private:
  using Queue = std::list<std::shared_ptr<ScheduledTexts>>;
  struct Batch;
  void loop(int thread);
  void take(Batch& batch, Queue& late);
  bool take_share(Batch& batch, Queue::iterator at, int64_t& left);
  void expire(Queue& late);
  void run(int thread, Batch& batch) noexcept;
  void run_alone(int thread, Batch& batch, size_t i) noexcept;
  void deliver(Batch& batch) noexcept;
  void learn(const Batch& batch);
  bool end(ScheduledTexts& request, const Outcome& outcome) noexcept;
  void finish(ScheduledTexts& request, const Outcome& outcome) noexcept;
  int64_t budget() const;
  int64_t tokens_of(const TextInput& text) const;
  int64_t tokens_left(const ScheduledTexts& request) const;

  std::unique_ptr<TextEngine> engine_;
  const TextSchedulerOptions options_;
  const int64_t max_length_;
  std::mutex mutex_;  // before any request's
  std::condition_variable wake_;
  Queue queue_;  // with texts that were not taken yet
  std::atomic<size_t> requests_{0};
  std::atomic<int64_t> waiting_tokens_{0};
  double tokens_per_second_ = 0;  // of one thread, as the last calls went
  size_t busy_ = 0;               // calls that run
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace quern
