// Threads that requests are answered on: as many as are busy at once, up to a limit; the rest waits in order.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace server {

class WorkerPool {
 public:
  explicit WorkerPool(size_t most) : most_(most) {}
  ~WorkerPool() { stop(); }

  // What has begun ends; what waits is dropped, and so is what comes later.
  void stop() {
    {
      std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wake_.notify_all();
    for (std::thread& t : threads_) t.join();
    threads_.clear();
    std::deque<std::function<void()>> dropped;  // outside of the lock: what they hold may come here as it ends
    std::lock_guard lock(mutex_);
    dropped.swap(tasks_);
  }

  // Throws std::exception where there is no thread and none can be started. Tasks must not throw.
  void run(std::function<void()> task) {
    std::lock_guard lock(mutex_);
    if (ending_) return;
    tasks_.push_back(std::move(task));
    if (tasks_.size() > idle_ && threads_.size() < most_) start();
    wake_.notify_one();
  }

 private:
  void start() {
    try {
      threads_.emplace_back([this] { work(); });
    } catch (const std::exception&) {
      if (!threads_.empty()) return;  // it waits for one of those that are there
      tasks_.pop_back();
      throw;
    }
  }
  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      ++idle_;
      wake_.wait(lock, [&] { return ending_ || !tasks_.empty(); });
      --idle_;
      if (ending_) return;
      std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      task = nullptr;
      lock.lock();
    }
  }

  const size_t most_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  std::vector<std::thread> threads_;
  size_t idle_ = 0;
  bool ending_ = false;
};

}  // namespace server
