// Work that computes on the worker that answers: as many at once as there are CPUs for it, in the order in which they
// came, so that thousands of requests for it neither slow down what else runs nor take memory while they wait.
#pragma once
#include <condition_variable>
#include <list>
#include <mutex>
#include <optional>
#include <utility>

#include "patience.h"

namespace server {

class Gate {
 public:
  // most: that wait.
  Gate(size_t places, size_t most) : free_(places), most_(most) {}

  class Pass {
   public:
    explicit Pass(Gate& gate) : gate_(&gate) {}
    Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
    Pass& operator=(Pass&&) = delete;
    ~Pass() {
      if (gate_) gate_->leave();
    }

   private:
    Gate* gate_;
  };

  // Waits for a place. Throws Refusal: overloaded, deadline, or the client has gone.
  Pass enter(const Patience& patience) {
    std::unique_lock lock(mutex_);
    if (waiting_.empty() && free_ > 0) {
      --free_;
      return Pass(*this);
    }
    if (waiting_.size() >= most_) throw Refusal{Reason::overloaded, "too many requests wait for a CPU"};
    const auto place = waiting_.insert(waiting_.end(), Waiting{});
    const auto turn = [&] { return free_ > 0 && place == waiting_.begin(); };
    while (!changed_.wait_for(lock, std::chrono::milliseconds(kLookMs), turn)) {
      const std::optional<Refusal> end = patience.end();
      if (!end) continue;
      waiting_.erase(place);
      changed_.notify_all();
      throw *end;
    }
    waiting_.erase(place);
    --free_;
    if (free_ > 0) changed_.notify_all();
    return Pass(*this);
  }

 private:
  struct Waiting {};
  void leave() {
    {
      std::lock_guard lock(mutex_);
      ++free_;
    }
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Waiting> waiting_;
  size_t free_;
  const size_t most_;
};

}  // namespace server
