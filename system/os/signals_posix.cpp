#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <new>
#include <stdexcept>
#include <utility>

#include "os/signals.h"

namespace os {
namespace {

constexpr int kStops[] = {SIGINT, SIGTERM, SIGHUP};

int signal_pipe[2] = {-1, -1};

void send_signal(int signal) {
  const int before = errno;
  const char byte = static_cast<char>(signal);
  [[maybe_unused]] const ssize_t n = ::write(signal_pipe[1], &byte, 1);
  errno = before;
}

void set_handler(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = signal == SIGINT ? static_cast<int>(SA_RESTART | SA_RESETHAND) : SA_RESTART;
  ::sigaction(signal, &action, nullptr);
}

bool is_pending(int signal) {
  sigset_t pending;
  ::sigpending(&pending);
  return sigismember(&pending, signal) == 1;
}

sigset_t only(int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  return set;
}

void take(int signal) {
  const sigset_t set = only(signal);
#if defined(__APPLE__)
  int taken = 0;
  ::sigwait(&set, &taken);
#else
  const timespec at_once{0, 0};
  ::sigtimedwait(&set, nullptr, &at_once);
#endif
}

}  // namespace

void on_next_stop(void (*handler)(int)) noexcept {
  struct sigaction action = {};
  action.sa_handler = handler;  // without SA_RESTART: reading a line ends too
  action.sa_flags = SA_RESETHAND;
  for (const int signal : kStops) {
    struct sigaction before = {};
    ::sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) ::sigaction(signal, &action, nullptr);  // nohup stays as it was
  }
}

void on_end_by_stop(void (*handler)(int)) noexcept {
  for (const int signal : kStops) {
    struct sigaction before {};
    ::sigaction(signal, nullptr, &before);
    if (before.sa_handler == SIG_DFL) ::signal(signal, handler);
  }
}

void end_by_signal(int signal) noexcept {
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

void forget_stops(void (*handler)(int)) noexcept {
  for (const int signal : kStops) {
    struct sigaction before = {};
    ::sigaction(signal, nullptr, &before);
    if (before.sa_handler == handler) ::signal(signal, SIG_DFL);
  }
}

std::string signal_name(int signal) {
  return ::strsignal(signal);
}

Signals::Signals() {
  if (::pipe(signal_pipe) != 0) throw std::runtime_error("cannot make a pipe for signals");
  for (const int fd : signal_pipe) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  ::fcntl(signal_pipe[1], F_SETFL, O_NONBLOCK);
  thread_ = std::thread([given = on_signal_.get_future()]() mutable {
    const std::function<void(int)> on_signal = given.get();
    char signal = 0;
    while (on_signal && ::read(signal_pipe[0], &signal, 1) == 1 && signal != 0) on_signal(signal);
  });
  set_handler(SIGHUP, send_signal);
}

void Signals::keep_all() {
  for (const int signal : {SIGTERM, SIGINT}) set_handler(signal, send_signal);
}

void Signals::start(std::function<void(int)> on_signal) {
  started_ = true;
  keep_all();
  on_signal_.set_value(std::move(on_signal));
}

void Signals::stop() {
  if (!thread_.joinable()) return;
  // The program is ending as it was asked to: one more request to end changes nothing.
  for (const int signal : {SIGTERM, SIGHUP}) set_handler(signal, started_ ? SIG_IGN : SIG_DFL);
  set_handler(SIGINT, SIG_DFL);
  send_signal(0);  // none's number
  if (!started_) on_signal_.set_value(nullptr);
  thread_.join();
  for (const int fd : signal_pipe) ::close(fd);
}

bool Signals::asks_to_reload(int signal) noexcept {
  return signal == SIGHUP;
}

NoPipeSignal::NoPipeSignal() noexcept : was_pending_(is_pending(SIGPIPE)) {
  static_assert(sizeof(sigset_t) <= sizeof before_);
  const sigset_t pipe = only(SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, new (before_) sigset_t);
}

NoPipeSignal::~NoPipeSignal() {
  if (!was_pending_ && is_pending(SIGPIPE)) take(SIGPIPE);
  ::pthread_sigmask(SIG_SETMASK, reinterpret_cast<sigset_t*>(before_), nullptr);
}

}  // namespace os
