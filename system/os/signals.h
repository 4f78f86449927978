// Being asked to stop: SIGINT (Ctrl-C), SIGTERM, SIGHUP; on Windows Ctrl-C and Ctrl-Break, and the console's end.
#pragma once
#include <functional>
#include <future>
#include <string>
#include <thread>

namespace os {

// `handler` gets the next of these signals, of those that are not ignored; one that follows ends the process. What
// waits for input ends too. A handler may do what a signal's handler may (on Windows it runs on a thread of its own).
void on_next_stop(void (*handler)(int)) noexcept;
// Where the process ends by one of these signals and nothing else takes it: `handler` gets it first. It ends by
// end_by_signal().
void on_end_by_stop(void (*handler)(int)) noexcept;
void end_by_signal(int signal) noexcept;
void forget_stops(void (*handler)(int)) noexcept;  // those that `handler` has not got do what they would do without it
std::string signal_name(int signal);               // "Interrupt"

// The signals as events, whichever thread the system gives them to: libraries have threads before main begins.
class Signals {
 public:
  // From here on requests to reload (SIGHUP) are kept for start(); the others end the process as ever. One object at a
  // time. Throws std::runtime_error.
  Signals();
  void keep_all();  // the others too
  // Calls `on_signal` with each, on a thread of its own. A second Ctrl-C ends the process, as without this.
  void start(std::function<void(int)> on_signal);
  void stop();  // it is called no more
  ~Signals() { stop(); }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  static bool asks_to_reload(int signal) noexcept;

 private:
  std::promise<std::function<void(int)>> on_signal_;
  bool started_ = false;
  std::thread thread_;
};

// Writing to a connection that is gone gives an error in place of a signal, in this thread while one of these lives.
class NoPipeSignal {
 public:
  NoPipeSignal() noexcept;
  ~NoPipeSignal();
  NoPipeSignal(const NoPipeSignal&) = delete;
  NoPipeSignal& operator=(const NoPipeSignal&) = delete;

 private:
  [[maybe_unused]] alignas(16) unsigned char before_[128];  // the system's set of signals
  [[maybe_unused]] bool was_pending_ = false;
};

}  // namespace os
