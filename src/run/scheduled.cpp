#include "run/scheduled.h"

#include <algorithm>
#include <new>
#include <utility>

namespace quern {
namespace {

// Whose on_ready this thread is in.
thread_local const Scheduled* announcing = nullptr;

}  // namespace

Outcome outcome_of_current() noexcept {
  Outcome outcome;
  const auto say = [&](Status status, const char* message) {
    outcome.status = status;
    try {
      outcome.message = message;
    } catch (...) {
      outcome.message.clear();
    }
  };
  try {
    throw;
  } catch (const Error& e) {
    say(e.status, e.what());
  } catch (const std::bad_alloc&) {
    say(Status::out_of_memory, "out of memory");
  } catch (const std::exception& e) {
    say(Status::internal, e.what());
  } catch (...) {
    say(Status::internal, "unknown error");
  }
  return outcome;
}

bool Scheduled::done() const {
  std::lock_guard lock(mutex_);
  return done_;
}

Outcome Scheduled::outcome() const {
  std::lock_guard lock(mutex_);
  return outcome_;
}

bool Scheduled::end(const Outcome& outcome, std::atomic<size_t>& unfinished) noexcept {
  std::lock_guard lock(mutex_);
  if (done_) return false;
  --unfinished;
  done_ = true;
  outcome_.status = outcome.status;
  try {
    outcome_.message = outcome.message;
  } catch (...) {  // no memory for why: the status says it
  }
  changed_.notify_all();
  return true;
}

void Scheduled::announce() noexcept {
  if (!on_ready_ || announcing == this) return;
  {
    std::lock_guard lock(mutex_);
    if (muted_) return;
    ++calls_;
  }
  const Scheduled* const outer = std::exchange(announcing, this);
  on_ready_();
  announcing = outer;
  std::lock_guard lock(mutex_);
  if (--calls_ == 0) changed_.notify_all();
}

void Scheduled::mute() {
  std::unique_lock lock(mutex_);
  muted_ = true;
  changed_.wait(lock, [&] { return calls_ == (announcing == this ? 1 : 0); });
}

void enter(bool ending, std::atomic<size_t>& unfinished, size_t most) {
  if (ending) throw Error(kFreed.status, kFreed.message);
  if (unfinished >= most)
    throw Error(Status::overloaded, "the model is overloaded: " + std::to_string(unfinished) + " requests are waiting");
  ++unfinished;
}

Clock::time_point after_ms(int64_t ms) {
  constexpr int64_t kMost = int64_t{1000} * 3600 * 24 * 365;
  if (ms < 0) return Clock::time_point::max();
  return Clock::now() + std::chrono::milliseconds(std::min(ms, kMost));
}

}  // namespace quern
