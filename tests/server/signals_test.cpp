// Signals as events: kept until somebody hears them, each once.
#include "os/signals.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <optional>
#include <vector>

using namespace os;

namespace {

class Heard {
 public:
  std::function<void(int)> listener() {
    return [this](int signal) {
      std::lock_guard lock(mutex_);
      signals_.push_back(signal);
      changed_.notify_all();
    };
  }
  std::vector<int> first(size_t n) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return signals_.size() >= n; });
    return signals_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<int> signals_;
};

void (*handler_of(int signal))(int) {
  struct sigaction action {};
  sigaction(signal, nullptr, &action);
  return action.sa_handler;
}

// Handlers as a program has them when it begins; the test's own come back behind it.
class Fresh {
 public:
  Fresh() {
    for (size_t i = 0; i < 3; ++i) before_[i] = std::signal(signals[i], SIG_DFL);
  }
  ~Fresh() {
    for (size_t i = 0; i < 3; ++i) std::signal(signals[i], before_[i]);
  }

 private:
  static constexpr int signals[] = {SIGHUP, SIGTERM, SIGINT};
  void (*before_[3])(int);
};

}  // namespace

TEST_CASE("signals: what comes before somebody listens is kept, in order") {
  const Fresh fresh;
  Heard heard;
  Signals signals;
  CHECK(handler_of(SIGTERM) == SIG_DFL);  // until then they end the process as ever
  kill(getpid(), SIGHUP);
  signals.keep_all();
  CHECK(handler_of(SIGTERM) != SIG_DFL);
  raise(SIGTERM);
  raise(SIGHUP);
  signals.start(heard.listener());
  CHECK(heard.first(3) == std::vector<int>{SIGHUP, SIGTERM, SIGHUP});
  raise(SIGINT);
  CHECK(heard.first(4).back() == SIGINT);
  CHECK(handler_of(SIGINT) == SIG_DFL);  // a second one ends the process
  signals.stop();
  CHECK(handler_of(SIGTERM) == SIG_IGN);  // it is ending already
  CHECK(handler_of(SIGHUP) == SIG_IGN);
  raise(SIGTERM);
  CHECK(heard.first(4).size() == 4);
}

TEST_CASE("signals: without a start all is as before") {
  const Fresh fresh;
  {
    Signals signals;
    raise(SIGHUP);  // nobody hears it
  }
  CHECK(handler_of(SIGHUP) == SIG_DFL);
  CHECK(handler_of(SIGTERM) == SIG_DFL);
  // And it can be done again.
  Heard heard;
  Signals again;
  again.start(heard.listener());
  raise(SIGHUP);
  CHECK(heard.first(1) == std::vector<int>{SIGHUP});
}
