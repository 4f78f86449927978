// The program's arguments and its three streams.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace os {

// First of all: streams carry bytes as they are, and a console shows and takes UTF-8.
void begin_program();
// What main() was given, in UTF-8; the first is the program's name.
std::vector<std::string> arguments(int count, char** values);
// The name that the program was called by, without folder and, on Windows, without ".exe".
std::string called_as(const std::string& first_argument);

enum class Stream { in, out, error };  // in the order of their descriptors
bool is_terminal(Stream stream) noexcept;
// A line as the terminal gives it, without its end; false at the end of input, or where a signal ended it.
bool read_line(std::string& line);

// Bytes of what is typed, in UTF-8; 0 at its end, -1: failed, or ended by a signal. Of a terminal, on Windows alone.
long long read_console(void* to, size_t size) noexcept;

// Whether stdout takes more within `ms`.
bool wait_for_output(int ms) noexcept;

// The place of a file in use may lose its bytes under the program: then `message` is printed and the process ends by 1.
void end_on_lost_memory(const char* message) noexcept;

}  // namespace os
