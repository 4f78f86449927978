#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "os/process.h"

namespace os {

const char* const kHomeVariable = "HOME";
const char* const kTemporaryVariable = "TMPDIR";

std::optional<std::string> variable(const char* name) {
  const char* const value = ::getenv(name);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

void set_variable(const char* name, const std::string& value) {
  ::setenv(name, value.c_str(), 1);
}

std::string home_folder() {
  return variable_or_empty("HOME");
}

std::string user_cache_folder() {
  const std::string home = home_folder();
  return home.empty() ? home : home + "/.cache";
}

std::string user_data_folder() {
  const std::string home = home_folder();
  return home.empty() ? home : home + "/.local/share";
}

std::string temporary_folder() {
  const std::string named = variable_or_empty("TMPDIR");
  return named.empty() ? "/tmp" : named;
}

uint64_t process_id() noexcept {
  return static_cast<uint64_t>(::getpid());
}

double cpu_seconds() noexcept {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

size_t allow_open_files(size_t wanted) noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
  if (limit.rlim_cur < wanted) {
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, wanted);
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::getrlimit(RLIMIT_NOFILE, &limit);
  }
  return static_cast<size_t>(limit.rlim_cur);
}

std::tm local_time(std::time_t time) noexcept {
  std::tm local{};
  ::localtime_r(&time, &local);
  return local;
}

std::tm utc_time(std::time_t time) noexcept {
  std::tm utc{};
  ::gmtime_r(&time, &utc);
  return utc;
}

}  // namespace os
