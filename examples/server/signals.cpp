#include "signals.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <stdexcept>

namespace server {
namespace {

int signal_pipe[2] = {-1, -1};

void send_signal(int signal) {
  const int before = errno;
  const char byte = static_cast<char>(signal);
  [[maybe_unused]] const ssize_t n = write(signal_pipe[1], &byte, 1);
  errno = before;
}

void set_handlers(void (*handler)(int)) {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = signal == SIGINT ? static_cast<int>(SA_RESTART | SA_RESETHAND) : SA_RESTART;
    sigaction(signal, &action, nullptr);
  }
}

}  // namespace

Signals::Signals(std::function<void(int)> on_signal) {
  if (pipe2(signal_pipe, O_CLOEXEC) != 0) throw std::runtime_error("cannot make a pipe for signals");
  fcntl(signal_pipe[1], F_SETFL, O_NONBLOCK);
  thread_ = std::thread([on_signal = std::move(on_signal)] {
    char signal = 0;
    while (read(signal_pipe[0], &signal, 1) == 1 && signal != 0) on_signal(signal);
  });
  set_handlers(send_signal);
}

Signals::~Signals() {
  set_handlers(SIG_DFL);
  send_signal(0);  // none's number
  thread_.join();
  for (const int fd : signal_pipe) close(fd);
}

}  // namespace server
