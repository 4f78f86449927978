// Threads that requests are answered on: they come, wait, and end.
#include "worker_pool.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <stdexcept>
#include <vector>

using namespace server;

namespace {

// Tasks that are held until they are let go.
class Held {
 public:
  std::function<void()> task() {
    return [this] {
      ++running;
      gate_.wait();
      ++ended;
    };
  }
  void let_go() { open_.set_value(); }
  void wait_for(int n) const {
    while (running < n) std::this_thread::yield();
  }
  std::atomic<int> running{0}, ended{0};

 private:
  std::promise<void> open_;
  std::shared_future<void> gate_ = open_.get_future().share();
};

}  // namespace

TEST_CASE("worker pool: as many threads as are busy, up to the limit, and the rest waits in order") {
  Held held;
  std::vector<int> order;
  std::promise<void> done;
  {
    WorkerPool pool(3);
    CHECK(pool.threads() == 1);
    for (int i = 0; i < 3; ++i) pool.run(held.task());
    held.wait_for(3);
    CHECK(pool.threads() == 3);
    std::mutex mutex;
    for (int i = 0; i < 20; ++i)
      pool.run([&, i] {
        std::lock_guard lock(mutex);
        order.push_back(i);
        if (order.size() == 20) done.set_value();
      });
    CHECK(pool.threads() == 3);
    CHECK(order.empty());
    held.let_go();
    done.get_future().wait();
  }
  CHECK(held.ended == 3);
  std::sort(order.begin(), order.end());
  for (int i = 0; i < 20; ++i) CHECK(order[static_cast<size_t>(i)] == i);
}

TEST_CASE("worker pool: one thread takes tasks in the order in which they came") {
  std::vector<int> order;
  std::promise<void> done;
  WorkerPool pool(1);
  for (int i = 0; i < 50; ++i) pool.run([&, i] { order.push_back(i); });
  pool.run([&] { done.set_value(); });
  done.get_future().wait();
  REQUIRE(order.size() == 50);
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("worker pool: threads that idle end, but for the least") {
  Held held;
  WorkerPool pool(8, 2, std::chrono::milliseconds(1));
  CHECK(pool.threads() == 2);
  for (int i = 0; i < 8; ++i) pool.run(held.task());
  held.wait_for(8);
  CHECK(pool.threads() == 8);
  held.let_go();
  while (pool.threads() > 2) std::this_thread::yield();
  std::promise<void> done;
  pool.run([&] { done.set_value(); });
  done.get_future().wait();
  while (pool.threads() > 2) std::this_thread::yield();  // one more where neither of the two was waiting yet
}

TEST_CASE("worker pool: what a task throws ends that task") {
  std::promise<void> done;
  WorkerPool pool(1);
  pool.run([] { throw std::runtime_error("no"); });
  pool.run([&] { done.set_value(); });
  done.get_future().wait();
}

TEST_CASE("worker pool: what waits when it stops is dropped, what has begun ends, and what comes later is dropped") {
  Held held;
  std::atomic<int> ran{0};
  auto owned = std::make_shared<int>(1);
  const std::weak_ptr<int> waits = owned;
  WorkerPool pool(1);
  pool.run(held.task());
  held.wait_for(1);
  pool.run([&ran, kept = std::move(owned)] { ran += *kept; });
  std::thread stopping([&] { pool.stop(); });
  // Once it is stopping, what comes is dropped at once.
  for (bool ending = false; !ending;) {
    auto probe = std::make_shared<int>();
    pool.run([probe] {});
    ending = probe.use_count() == 1;
  }
  held.let_go();
  stopping.join();
  CHECK(held.ended == 1);
  CHECK(ran == 0);
  CHECK(waits.expired());
  pool.run([&] { ++ran; });
  CHECK(ran == 0);
  pool.stop();  // once more does nothing
}
