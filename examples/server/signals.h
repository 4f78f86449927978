// SIGTERM, SIGINT and SIGHUP as events, whichever thread the system gives them to: libraries have threads before main
// begins.
#pragma once
#include <functional>
#include <future>
#include <thread>

namespace server {

class Signals {
 public:
  // From here on SIGHUPs are kept for start(); the others end the process as ever. One object at a time. Throws
  // std::runtime_error.
  Signals();
  // From here on the others are kept too.
  void keep_all();
  // Calls `on_signal` with each, on a thread of its own. A second SIGINT ends the process, as without this.
  void start(std::function<void(int)> on_signal);
  void stop();  // it is called no more
  ~Signals() { stop(); }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  std::promise<std::function<void(int)>> on_signal_;
  bool started_ = false;
  std::thread thread_;
};

}  // namespace server
