#include "signals.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <string>
#include <utility>

namespace server {
namespace {

int signal_pipe[2] = {-1, -1};

void send_signal(int signal) {
  const int before = errno;
  const char byte = static_cast<char>(signal);
  [[maybe_unused]] const ssize_t n = write(signal_pipe[1], &byte, 1);
  errno = before;
}

void set_handler(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = signal == SIGINT ? static_cast<int>(SA_RESTART | SA_RESETHAND) : SA_RESTART;
  sigaction(signal, &action, nullptr);
}

}  // namespace

Signals::Signals() {
  if (pipe2(signal_pipe, O_CLOEXEC) != 0) throw std::runtime_error("cannot make a pipe for signals");
  fcntl(signal_pipe[1], F_SETFL, O_NONBLOCK);
  thread_ = std::thread([given = on_signal_.get_future()]() mutable {
    const std::function<void(int)> on_signal = given.get();
    char signal = 0;
    while (on_signal && read(signal_pipe[0], &signal, 1) == 1 && signal != 0) on_signal(signal);
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
  for (const int fd : signal_pipe) close(fd);
}

}  // namespace server
