#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <string.h>
#include <windows.h>

#include "os/console.h"
//
#include <shellapi.h>

#include <algorithm>

#include "os/files.h"
#include "os/wide_windows.h"

namespace os {
namespace {

const char* lost_message = "";

LONG WINAPI on_exception(EXCEPTION_POINTERS* told) {
  if (told->ExceptionRecord->ExceptionCode != static_cast<DWORD>(EXCEPTION_IN_PAGE_ERROR))
    return EXCEPTION_CONTINUE_SEARCH;
  DWORD n = 0;
  WriteFile(GetStdHandle(STD_ERROR_HANDLE), lost_message, static_cast<DWORD>(strlen(lost_message)), &n, nullptr);
  TerminateProcess(GetCurrentProcess(), 1);
  return EXCEPTION_CONTINUE_SEARCH;
}

}  // namespace

void begin_program() {
  for (const int stream : {0, 1, 2}) _setmode(stream, _O_BINARY);
  SetConsoleOutputCP(CP_UTF8);
  const HANDLE out = GetStdHandle(STD_OUTPUT_HANDLE);
  DWORD mode = 0;
  if (GetConsoleMode(out, &mode)) SetConsoleMode(out, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
}

std::vector<std::string> arguments(int, char**) {
  int n = 0;
  wchar_t** const wide = CommandLineToArgvW(GetCommandLineW(), &n);
  std::vector<std::string> all;
  for (int i = 0; wide != nullptr && i < n; ++i) all.push_back(utf8_of(wide[i]));
  LocalFree(wide);
  return all;
}

std::string called_as(const std::string& first_argument) {
  std::string name = base_name(first_argument);
  if (name.size() > 4 && _stricmp(name.c_str() + name.size() - 4, ".exe") == 0) name.resize(name.size() - 4);
  return name;
}

bool is_terminal(Stream stream) noexcept {
  constexpr DWORD streams[] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
  DWORD mode = 0;
  return GetConsoleMode(GetStdHandle(streams[static_cast<int>(stream)]), &mode) != 0;
}

// A console's own bytes are of the code page; its characters are UTF-16. Ctrl-Z at a line's beginning is the end.
long long read_console(void* to, size_t size) noexcept {
  constexpr size_t kMost = 4096;
  static std::string waiting;  // of what was typed
  if (waiting.empty()) {
    wchar_t typed[kMost];
    DWORD n = 0;
    if (!ReadConsoleW(GetStdHandle(STD_INPUT_HANDLE), typed, kMost, &n, nullptr)) {
      take_error(GetLastError());
      return -1;
    }
    if (n == 0 && GetLastError() == ERROR_OPERATION_ABORTED) {
      errno = EINTR;
      return -1;
    }
    if (n == 0 || typed[0] == L'\x1a') return 0;
    waiting = utf8_of({typed, n});
    waiting.erase(std::remove(waiting.begin(), waiting.end(), '\r'), waiting.end());
  }
  const size_t n = std::min(size, waiting.size());
  memcpy(to, waiting.data(), n);
  waiting.erase(0, n);
  return static_cast<long long>(n);
}

bool read_line(std::string& line) {
  line.clear();
  char c;
  int64_t n = 0;
  static std::string block;
  static size_t at = 0;
  for (;;) {
    if (at == block.size()) {
      char bytes[4096];
      n = read_some(0, bytes, sizeof bytes);
      if (n <= 0) return n == 0 && !line.empty();
      block.assign(bytes, static_cast<size_t>(n));
      at = 0;
    }
    c = block[at++];
    if (c == '\n') break;
    line += c;
  }
  if (line.ends_with('\r')) line.pop_back();
  return true;
}

bool wait_for_output(int) noexcept {
  return true;  // a write waits
}

void end_on_lost_memory(const char* message) noexcept {
  lost_message = message;
  AddVectoredExceptionHandler(1, on_exception);
}

}  // namespace os
