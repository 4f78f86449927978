#include "os/process.h"

// windows.h comes before what needs it.
#include <windows.h>
//
#include <psapi.h>
#include <stdlib.h>

#include "os/wide_windows.h"

namespace os {
namespace {

// With '/' between the parts, as quern writes paths itself.
std::string folder_named_by(const char* name) {
  std::string folder = variable_or_empty(name);
  for (char& c : folder)
    if (c == '\\') c = '/';
  while (folder.size() > 3 && folder.back() == '/') folder.pop_back();
  return folder;
}

}  // namespace

const char* const kHomeVariable = "USERPROFILE";
const char* const kTemporaryVariable = "TEMP";

std::optional<std::string> variable(const char* name) {
  const wchar_t* const value = _wgetenv(wide_of(name).c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(utf8_of(value));
}

void set_variable(const char* name, const std::string& value) {
  _wputenv_s(wide_of(name).c_str(), wide_of(value).c_str());
}

// As Python's os.path.expanduser, which huggingface_hub asks.
std::string home_folder() {
  if (std::string profile = folder_named_by("USERPROFILE"); !profile.empty()) return profile;
  const std::string path = folder_named_by("HOMEPATH");
  return path.empty() ? path : variable_or_empty("HOMEDRIVE") + path;
}

std::string user_cache_folder() {
  if (std::string local = folder_named_by("LOCALAPPDATA"); !local.empty()) return local;
  const std::string home = home_folder();
  return home.empty() ? home : home + "/AppData/Local";
}

std::string user_data_folder() {
  return user_cache_folder();
}

std::string temporary_folder() {
  for (const char* name : {"TMP", "TEMP"})
    if (std::string folder = folder_named_by(name); !folder.empty()) return folder;
  return ".";
}

uint64_t process_id() noexcept {
  return GetCurrentProcessId();
}

double resident_bytes() noexcept {
  PROCESS_MEMORY_COUNTERS counters{};
  counters.cb = sizeof counters;
  return GetProcessMemoryInfo(GetCurrentProcess(), &counters, sizeof counters)
             ? static_cast<double>(counters.WorkingSetSize)
             : 0;
}

double cpu_seconds() noexcept {
  FILETIME made, ended, kernel, user;
  if (!GetProcessTimes(GetCurrentProcess(), &made, &ended, &kernel, &user)) return 0;
  const auto of = [](const FILETIME& t) {
    return static_cast<double>(uint64_t{t.dwHighDateTime} << 32 | t.dwLowDateTime) * 1e-7;
  };
  return of(kernel) + of(user);
}

size_t allow_open_files(size_t wanted) noexcept {
  return wanted;  // handles are bounded by memory
}

std::tm local_time(std::time_t time) noexcept {
  std::tm local{};
  ::localtime_s(&local, &time);
  return local;
}

std::tm utc_time(std::time_t time) noexcept {
  std::tm utc{};
  ::gmtime_s(&utc, &time);
  return utc;
}

}  // namespace os
