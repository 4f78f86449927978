#include "parallel.h"

#include <chrono>

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
  for (size_t i = 1; i < arenas_.size(); ++i)
    threads_.emplace_back([this, i](std::stop_token stop) { worker(i, stop); });
}

Pool::~Pool() {
  for (std::jthread& t : threads_) t.request_stop();
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
}

void Pool::work(Arena& scratch) {
  try {
    for (int64_t task; (task = next_.fetch_add(1, std::memory_order_relaxed)) < n_;) call_(f_, task, scratch);
  } catch (...) {
    if (!failed_.test_and_set()) error_ = std::current_exception();
    next_.store(n_, std::memory_order_relaxed);  // the rest is not worth doing
  }
}

void Pool::worker(size_t index, std::stop_token stop) {
  uint32_t seen = 0;
  for (;;) {
    wait_change(round_, seen);
    seen = round_.load(std::memory_order_acquire);
    if (stop.stop_requested()) return;
    work(*arenas_[index]);
    if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) busy_.notify_one();
  }
}

void Pool::run_tasks(int64_t n, Call call, void* f) {
  call_ = call;
  f_ = f;
  n_ = n;
  next_.store(0, std::memory_order_relaxed);
  failed_.clear();
  error_ = nullptr;
  if (!threads_.empty() && n > 1) {
    busy_.store(static_cast<int>(threads_.size()), std::memory_order_relaxed);
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
    work(*arenas_[0]);
    for (int left; (left = busy_.load(std::memory_order_acquire)) != 0;) wait_change(busy_, left);
  } else {
    work(*arenas_[0]);
  }
  if (error_) std::rethrow_exception(error_);
}

}  // namespace quern
