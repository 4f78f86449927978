#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <iostream>

#include "os/console.h"
#include "os/files.h"

namespace os {
namespace {

const char* lost_message = "";

void on_bus_error(int) {
  if (::write(STDERR_FILENO, lost_message, ::strlen(lost_message)) < 0) ::_exit(1);
  ::_exit(1);
}

}  // namespace

void begin_program() {}

std::vector<std::string> arguments(int count, char** values) {
  return {values, values + count};
}

std::string called_as(const std::string& first_argument) {
  return base_name(first_argument);
}

bool is_terminal(Stream stream) noexcept {
  return ::isatty(static_cast<int>(stream)) == 1;
}

bool read_line(std::string& line) {
  return static_cast<bool>(std::getline(std::cin, line));
}

long long read_console(void* to, size_t size) noexcept {
  return read_some(STDIN_FILENO, to, size);
}

bool wait_for_output(int ms) noexcept {
  pollfd out{STDOUT_FILENO, POLLOUT, 0};
  return ::poll(&out, 1, ms) > 0;
}

void end_on_lost_memory(const char* message) noexcept {
  lost_message = message;
  ::signal(SIGBUS, on_bus_error);
}

}  // namespace os
