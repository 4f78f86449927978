// Threads that requests are answered on: as many as are busy at once, up to a limit; the rest waits in order. Threads
// beyond the first that have had nothing to do for a while end.
#pragma once
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

namespace server {

class WorkerPool {
 public:
  // Starts `least` threads, at least one; throws std::exception where not even the first can be started.
  explicit WorkerPool(size_t most, size_t least = 1, std::chrono::milliseconds idle = std::chrono::seconds(5))
      : most_(most), least_(least), idle_for_(idle) {
    std::lock_guard lock(mutex_);
    start();
    while (threads_.size() < least_ && try_start()) {
    }
  }
  ~WorkerPool() { stop(); }

  // What has begun ends; what waits is dropped, and so is what comes later.
  void stop() {
    Threads left;
    std::deque<std::function<void()>> dropped;  // outside of the lock: what they hold may come here as it ends
    {
      std::lock_guard lock(mutex_);
      ending_ = true;
      dropped.swap(tasks_);
      left.splice(left.end(), threads_);
      left.splice(left.end(), ended_);
    }
    wake_.notify_all();
    for (std::thread& t : left) t.join();
  }

  // Throws std::bad_alloc. Where no more threads can be started, it waits for one of those that are there. What a task
  // throws ends the task and nothing else.
  void run(std::function<void()> task) {
    Threads ended;
    {
      std::lock_guard lock(mutex_);
      if (ending_) return;
      tasks_.push_back(std::move(task));
      if (tasks_.size() > idle_ && threads_.size() < most_) try_start();
      ended.swap(ended_);
    }
    wake_.notify_one();
    for (std::thread& t : ended) t.join();
  }

  size_t threads() const {
    std::lock_guard lock(mutex_);
    return threads_.size();
  }

 private:
  using Threads = std::list<std::thread>;
  void start() {
    Threads made(1);
    const auto place = made.begin();
    threads_.splice(threads_.end(), made);
    try {
      *place = std::thread([this, place] { work(place); });
    } catch (...) {
      threads_.erase(place);
      throw;
    }
  }
  bool try_start() {
    try {
      start();
      return true;
    } catch (const std::exception&) {
      return false;
    }
  }
  void work(Threads::iterator self) {
    std::unique_lock lock(mutex_);
    while (true) {
      ++idle_;
      const bool any = wake_.wait_for(lock, idle_for_, [&] { return ending_ || !tasks_.empty(); });
      --idle_;
      if (ending_) return;  // whoever stops has this thread
      if (!any) {
        if (threads_.size() <= least_) continue;
        ended_.splice(ended_.end(), threads_, self);
        return;
      }
      std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      try {
        task();
      } catch (...) {  // out of memory
      }
      task = nullptr;
      lock.lock();
    }
  }

  const size_t most_, least_;
  const std::chrono::milliseconds idle_for_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  Threads threads_, ended_;  // ended: to be joined
  size_t idle_ = 0;
  bool ending_ = false;
};

}  // namespace server
