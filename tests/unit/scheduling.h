// What tests of schedulers share: engines that do what a test says, and a gate that holds them.
#pragma once
#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <condition_variable>
#include <fstream>
#include <mutex>

#include "run/generation_scheduler.h"
#include "run/text_scheduler.h"

namespace quern::test {

// Threads pass while it is open; a test waits until so many stand before it.
class Gate {
 public:
  explicit Gate(bool open = true) : open_(open) {}
  void pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_ || permits_ > 0; });
    if (!open_) --permits_;
    --waiting_;
  }
  void open() {
    set([&] { open_ = true; });
  }
  void close() {
    set([&] { open_ = false; });
  }
  void let(int n) {
    set([&] { permits_ += n; });
  }
  void await(int n) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ >= n && permits_ == 0; });
  }

 private:
  template <class F>
  void set(F change) {
    std::lock_guard lock(mutex_);
    change();
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_;
  int waiting_ = 0, permits_ = 0;
};

// The address space may not grow by more than so much while this lives, so that threads and large memory are refused.
class LittleMemory {
 public:
  explicit LittleMemory(size_t more) {
    getrlimit(RLIMIT_AS, &before_);
    size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    rlimit now = before_;
    now.rlim_cur = pages * 4096 + more;
    setrlimit(RLIMIT_AS, &now);
  }
  ~LittleMemory() { setrlimit(RLIMIT_AS, &before_); }
  LittleMemory(const LittleMemory&) = delete;
  LittleMemory& operator=(const LittleMemory&) = delete;

 private:
  rlimit before_{};
};
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kLimitsMemory = false;  // their shadows need it
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kLimitsMemory = false;
#else
constexpr bool kLimitsMemory = true;
#endif
#else
constexpr bool kLimitsMemory = true;
#endif

}  // namespace quern::test
