#include <signal.h>
#include <windows.h>

#include <atomic>
#include <stdexcept>
#include <utility>

#include "os/signals.h"

namespace os {
namespace {

constexpr int kStops[] = {SIGINT, SIGTERM, SIGBREAK};

// What the server's thread waits for.
HANDLE came = nullptr;
std::atomic<int> which{0};
std::atomic<bool> interrupted{false};

BOOL WINAPI on_console(DWORD event) {
  if (event == CTRL_C_EVENT && interrupted.exchange(true)) return FALSE;  // a second one ends the process
  which = event == CTRL_C_EVENT ? SIGINT : SIGTERM;
  SetEvent(came);
  if (event == CTRL_CLOSE_EVENT || event == CTRL_LOGOFF_EVENT || event == CTRL_SHUTDOWN_EVENT)
    Sleep(INFINITE);  // Windows ends the process after some seconds, or once it ends itself
  return TRUE;
}

}  // namespace

void on_next_stop(void (*handler)(int)) noexcept {
  for (const int signal : kStops) ::signal(signal, handler);  // the C library forgets it once it was called
}

void on_end_by_stop(void (*handler)(int)) noexcept {
  for (const int signal : kStops) {
    const auto before = ::signal(signal, handler);
    if (before != SIG_DFL) ::signal(signal, before);
  }
}

void end_by_signal(int signal) noexcept {
  TerminateProcess(GetCurrentProcess(), 128U + static_cast<unsigned>(signal));
}

void forget_stops(void (*handler)(int)) noexcept {
  for (const int signal : kStops) {
    const auto before = ::signal(signal, SIG_DFL);
    if (before != handler) ::signal(signal, before);
  }
}

std::string signal_name(int signal) {
  return signal == SIGINT ? "Ctrl-C" : signal == SIGBREAK ? "Ctrl-Break" : "a request to end";
}

Signals::Signals() {
  came = CreateEventW(nullptr, FALSE, FALSE, nullptr);
  if (came == nullptr) throw std::runtime_error("cannot make an event for signals");
  which = 0;
  interrupted = false;
  thread_ = std::thread([given = on_signal_.get_future()]() mutable {
    const std::function<void(int)> on_signal = given.get();
    while (on_signal && WaitForSingleObject(came, INFINITE) == WAIT_OBJECT_0) {
      const int signal = which.exchange(0);
      if (signal == 0) break;
      on_signal(signal);
    }
  });
}

void Signals::keep_all() {
  SetConsoleCtrlHandler(on_console, TRUE);
}

void Signals::start(std::function<void(int)> on_signal) {
  started_ = true;
  SetConsoleCtrlHandler(on_console, FALSE);  // it is there once
  keep_all();
  on_signal_.set_value(std::move(on_signal));
}

void Signals::stop() {
  if (!thread_.joinable()) return;
  SetConsoleCtrlHandler(on_console, FALSE);
  SetEvent(came);
  if (!started_) on_signal_.set_value(nullptr);
  thread_.join();
  CloseHandle(came);
}

bool Signals::asks_to_reload(int) noexcept {
  return false;
}

NoPipeSignal::NoPipeSignal() noexcept {}
NoPipeSignal::~NoPipeSignal() {}

}  // namespace os
