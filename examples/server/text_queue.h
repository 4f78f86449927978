// Texts of all requests on their way through one model. Each of its threads takes a part of what waits, a share of each
// request in turn, and runs it in one call without padding: none waits for another. A text by itself has all threads.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "metrics.h"
#include "operations.h"
#include "refusal.h"

namespace server {

using Clock = std::chrono::steady_clock;

// How often a waiting request looks whether its client is still there.
constexpr auto kLook = std::chrono::milliseconds(200);

// When a request has to be answered, and whether anyone still waits for it.
struct Patience {
  Clock::time_point until = Clock::time_point::max();
  std::function<bool()> gone = [] { return false; };
};

// The texts of one request. Whoever made it waits for it; the queue may still hold it after that.
struct TextJob {
  Operation operation;
  std::vector<TextInput> texts;
  std::vector<TextOutput> outputs;      // as many
  double queue_ms = 0, compute_ms = 0;  // until its first text ran; of the calls that it was in

 private:
  friend class TextQueue;
  std::mutex mutex;
  std::condition_variable wake;
  size_t taken = 0, done = 0;
  std::atomic<bool> abandoned{false};
  Clock::time_point queued;
};

struct TextQueueLimits {
  int threads = 0;               // 0: all that are usable
  int64_t batch_tokens = 16384;  // of one call, at most
  size_t requests = 1024;        // that wait
};

class TextQueue {
 public:
  TextQueue(const quern_model* model, const TextQueueLimits& limits, Metrics& metrics, const std::string& name);
  ~TextQueue();  // none may be waiting

  // Fills in the job's outputs; a text that failed has its own error. Throws Refusal: overloaded, deadline.
  void run(const std::shared_ptr<TextJob>& job, const Patience& patience);

  size_t waiting() const { return waiting_; }                // requests, those that run too
  int64_t waiting_tokens() const { return queued_tokens_; }  // about, of texts that were not taken yet

 private:
  struct Item {
    std::shared_ptr<TextJob> job;
    size_t index;
  };
  void run_alone(const std::shared_ptr<TextJob>& job);
  void loop(quern_session* own);
  std::vector<Item> take();
  struct Cost {
    double ms;
    uint64_t tokens;
  };
  Cost run_batch(quern_session* session, std::vector<Item>& batch);
  static void deliver(const std::vector<Item>& batch, double ms);  // wakes who waits for what is done
  int64_t budget() const;
  int64_t tokens_left(const TextJob& job) const;
  int64_t tokens_of(const TextInput& text) const;

  const TextQueueLimits limits_;
  const int64_t max_length_;
  SessionHandle wide_;                 // with all threads: for a text that has nothing beside it
  std::vector<SessionHandle> narrow_;  // a thread each
  Histogram &batch_texts_, &batch_tokens_;
  Counter& tokens_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<TextJob>> jobs_;  // with texts that were not taken yet
  std::atomic<size_t> waiting_{0};
  std::atomic<int64_t> queued_tokens_{0};
  double tokens_per_second_ = 0;  // of one thread, as the last batches went
  size_t busy_ = 0;               // batches that run
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

// Counts a request among the `waiting`; its caller holds the queue's lock. Throws Reason::overloaded.
void enter_queue(std::atomic<size_t>& waiting, size_t most);

// As a refusal: wrong use is the request's fault, everything else the model's.
Refusal refusal_of(const QuernError& error);

}  // namespace server
