// A request on its way through a scheduler, as all kinds have it: until when it is wanted, how it ended, and who is
// told.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>

#include "error.h"

namespace quern {

using Clock = std::chrono::steady_clock;

struct RequestOptions {
  Clock::time_point until = Clock::time_point::max();  // afterwards it ends with deadline_exceeded
  std::function<void()> on_ready = {};                 // must not throw; see Scheduled::announce
};

// Why something ended. ok: it has what was asked for.
struct Outcome {
  Status status = Status::ok;
  std::string message = {};
};
// Made beforehand: ending a request needs no memory.
inline const Outcome kServed = {};
inline const Outcome kLate = {Status::deadline_exceeded, "the request took longer than the deadline"};
inline const Outcome kCancelled = {Status::cancelled, "the request was cancelled"};
inline const Outcome kFreed = {Status::cancelled, "the scheduler was freed"};
inline const Outcome kNoMemory = {Status::out_of_memory, "out of memory"};
// Of the exception that is being handled. Does not throw: memory may be what there is none of.
Outcome outcome_of_current() noexcept;

class Scheduled {
 public:
  explicit Scheduled(RequestOptions options) : until_(options.until), on_ready_(std::move(options.on_ready)) {}
  Scheduled(const Scheduled&) = delete;
  Scheduled& operator=(const Scheduled&) = delete;

  bool late(Clock::time_point now) const { return now >= until_; }
  Clock::time_point until() const { return until_; }
  bool done() const;
  Outcome outcome() const;  // ok while it is not done

  // Calls on_ready on this thread. No lock may be held. A call within the call is left out.
  void announce() noexcept;
  // Ends it, unless it has ended, and counts it no more among the `unfinished`; whether this call did.
  bool end(const Outcome& outcome, std::atomic<size_t>& unfinished) noexcept;
  // After it on_ready does not run, unless this is called from within it.
  void mute();

 protected:
  ~Scheduled() = default;
  // Waits for `ready`, until then at most. The lock is mutex_'s.
  template <class F>
  bool wait_locked(std::unique_lock<std::mutex>& lock, Clock::time_point until, const F& ready) {
    if (until == Clock::time_point::max()) {  // which some libraries' wait_until overflows on
      changed_.wait(lock, ready);
      return true;
    }
    return changed_.wait_until(lock, until, ready);
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  Outcome outcome_;

 private:
  const Clock::time_point until_;
  const std::function<void()> on_ready_;
  int calls_ = 0;  // of on_ready that run
  bool muted_ = false;
};

// Counts a request among the `unfinished`; Scheduled::end counts it no more. Throws Error{cancelled} where the
// scheduler is ending, {overloaded} where there are as many as it takes.
void enter(bool ending, std::atomic<size_t>& unfinished, size_t most);

// In so many milliseconds; below 0: never.
Clock::time_point after_ms(int64_t ms);

}  // namespace quern
