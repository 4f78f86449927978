#include "interrupts.h"

#include <csignal>

#include "common.h"
#include "os/signals.h"

namespace cli {
namespace {

volatile std::sig_atomic_t came = 0;

void on_signal(int signal) {
  came = signal;
}

}  // namespace

Interrupts::Interrupts() {
  came = 0;
  os::on_next_stop(on_signal);
}

Interrupts::~Interrupts() {
  os::forget_stops(on_signal);
}

bool Interrupts::pressed() {
  return came != 0;
}

void Interrupts::clear() {
  came = 0;
  os::on_next_stop(on_signal);
}

void Interrupts::check() {
  if (came != 0) throw Failure{128 + came, "stopped by " + os::signal_name(came)};
}

}  // namespace cli
