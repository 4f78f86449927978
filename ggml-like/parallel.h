// A fixed set of threads that run tasks together. One run at a time: a Pool belongs to one session and is not
// re-entrant.
#pragma once
#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

#include "arena.h"

namespace quern {

class Pool {
 public:
  // n_threads >= 1 counts the calling thread, which works too. Has fewer where the system starts no more.
  explicit Pool(int n_threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int size() const { return static_cast<int>(arenas_.size()); }

  // Calls f(task, scratch) for every task in [0, n), each once, on any thread and in any order; scratch is that
  // thread's own. Returns when all are done; the first exception that a task threw is thrown here.
  template <class F>
  void run(int64_t n, F&& f) {
    run_tasks(
        n, [](void* p, int64_t task, Arena& scratch) { (*static_cast<std::remove_reference_t<F>*>(p))(task, scratch); },
        const_cast<void*>(static_cast<const void*>(&f)));
  }

 private:
  using Call = void (*)(void*, int64_t, Arena&);
  void run_tasks(int64_t n, Call call, void* f);
  void work(Arena& scratch) noexcept;
  void worker(size_t index, std::stop_token stop);

  std::vector<std::unique_ptr<Arena>> arenas_;  // one per thread; [0] is the caller's
  // Written before a round is published, read only by whoever holds one of its tasks.
  Call call_ = nullptr;
  void* f_ = nullptr;
  int64_t n_ = 0;
  // Round in the upper half, tasks not yet taken in the lower: a worker that wakes late finds none and touches nothing,
  // so that no round waits for threads that the system has not run.
  std::atomic<uint64_t> state_{0};
  std::atomic<uint32_t> round_{0};  // workers sleep until it changes
  std::atomic<uint32_t> done_{0};   // tasks finished in this round
  std::atomic_flag failed_;
  std::exception_ptr error_;
  std::vector<std::jthread> threads_;
};

}  // namespace quern
