#include "parallel.h"

#include <cassert>
#include <cstdint>

namespace quern {
namespace {

inline void relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// Waits until value != old: spins for some 50 µs, since the next operator usually comes at once, then sleeps.
template <class T>
void wait_change(const std::atomic<T>& value, T old) noexcept {
  for (int i = 0; i < 2000; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    relax();
  }
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

Pool::Pool(int n_threads) {
  for (int i = 0; i < n_threads; ++i) arenas_.push_back(std::make_unique<Arena>());
  threads_.reserve(arenas_.size() - 1);
  try {
    for (size_t i = 1; i < arenas_.size(); ++i)
      threads_.emplace_back([this, i](std::stop_token stop) { worker(i, stop); });
  } catch (...) {  // the system starts no more threads
    arenas_.resize(threads_.size() + 1);
  }
}

Pool::~Pool() {
  for (std::jthread& t : threads_) t.request_stop();
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
}

void Pool::work(Arena& scratch) noexcept {
  uint64_t state = state_.load(std::memory_order_acquire);
  while (static_cast<uint32_t>(state) > 0) {
    if (!state_.compare_exchange_weak(state, state - 1, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
    const uint32_t n = static_cast<uint32_t>(n_);
    if (!failed_.test(std::memory_order_relaxed)) {  // after a failure the rest is only counted off
      try {
        call_(f_, static_cast<int64_t>(n - static_cast<uint32_t>(state)), scratch);
      } catch (...) {
        if (!failed_.test_and_set()) error_ = std::current_exception();
      }
    }
    if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == n) done_.notify_one();
    state = state_.load(std::memory_order_acquire);
  }
}

void Pool::worker(size_t index, std::stop_token stop) {
  uint32_t seen = 0;
  for (;;) {
    wait_change(round_, seen);
    seen = round_.load(std::memory_order_acquire);
    if (stop.stop_requested()) return;
    work(*arenas_[index]);
  }
}

void Pool::run_tasks(int64_t n, Call call, void* f) {
  if (n <= 0) return;
  assert(n <= INT32_MAX);
  call_ = call;
  f_ = f;
  n_ = n;
  done_.store(0, std::memory_order_relaxed);
  failed_.clear();
  error_ = nullptr;
  const uint64_t round = (state_.load(std::memory_order_relaxed) >> 32) + 1;
  state_.store(round << 32 | static_cast<uint64_t>(n), std::memory_order_release);
  if (!threads_.empty() && n > 1) {
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
  }
  work(*arenas_[0]);
  for (uint32_t done; (done = done_.load(std::memory_order_acquire)) != static_cast<uint32_t>(n);)
    wait_change(done_, done);
  if (error_) std::rethrow_exception(error_);
}

}  // namespace quern
