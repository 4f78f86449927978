#include "interrupts.h"

#include <csignal>
#include <cstring>

#include "common.h"

namespace cli {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};

volatile std::sig_atomic_t came = 0;

void on_signal(int signal) {
  came = signal;
}

void listen() {
  struct sigaction action = {};
  action.sa_handler = on_signal;  // without SA_RESTART: reading a line ends too
  action.sa_flags = SA_RESETHAND;
  for (const int signal : kSignals) {
    struct sigaction before = {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);  // nohup stays as it was
  }
}

}  // namespace

Interrupts::Interrupts() {
  came = 0;
  listen();
}

Interrupts::~Interrupts() {
  for (const int signal : kSignals) {
    struct sigaction before = {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler == on_signal) std::signal(signal, SIG_DFL);
  }
}

bool Interrupts::pressed() {
  return came != 0;
}

void Interrupts::clear() {
  came = 0;
  listen();
}

void Interrupts::check() {
  if (came != 0) throw Failure{128 + came, std::string("stopped by ") + strsignal(came)};
}

}  // namespace cli
