// SIGTERM, SIGINT and SIGHUP as events, whichever thread the system gives them to: libraries have threads before main
// begins.
#pragma once
#include <functional>
#include <thread>

namespace server {

class Signals {
 public:
  // Calls `on_signal` with each, on a thread of its own. A second SIGINT ends the process, as without this. One object
  // at a time. Throws std::runtime_error.
  explicit Signals(std::function<void(int)> on_signal);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  std::thread thread_;
};

}  // namespace server
