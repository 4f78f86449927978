// How times and sizes are written.
#pragma once
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>

#include "os/process.h"

namespace server {

// RFC 3339, UTC, with so many digits of the second's fraction: 0 to 9.
inline std::string time_text(std::chrono::system_clock::time_point time, int digits) {
  const int64_t ns = std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
  const std::time_t seconds = static_cast<std::time_t>(ns / 1000000000);
  const std::tm parts = os::utc_time(seconds);
  char whole[32], fraction[16];
  std::strftime(whole, sizeof whole, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(fraction, sizeof fraction, "%09d", static_cast<int>(ns % 1000000000));
  return std::string(whole) + (digits > 0 ? "." + std::string(fraction, static_cast<size_t>(digits)) : "") + 'Z';
}

// To the microsecond: "12.345".
inline std::string ms_text(double ms) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", ms);
  return text;
}

// Rounded up: "3 MiB".
inline std::string mib_text(uint64_t bytes) {
  return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB";
}

}  // namespace server
