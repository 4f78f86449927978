#include "net/retry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <chrono>

namespace quern {
namespace {

// The number behind ";NAME=" of a structured header; nullopt when there is none.
std::optional<long> parameter(const std::string& header, const std::string& name) {
  const size_t at = header.find(';' + name + '=');
  if (at == std::string::npos) return std::nullopt;
  const char* begin = header.c_str() + at + name.size() + 2;
  char* end = nullptr;
  const long value = ::strtol(begin, &end, 10);
  if (end == begin || value < 0) return std::nullopt;
  return value;
}

// "Sun, 06 Nov 1994 08:49:37 GMT" in seconds since 1970; nothing where it is no such date.
std::optional<int64_t> seconds_of_date(const std::string& date) {
  constexpr char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  char month[4] = "";
  int day = 0, year = 0, hour = 0, minute = 0, second = 0, end = 0;
  if (::sscanf(date.c_str(), "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &day, month, &year, &hour, &minute,
               &second, &end) != 6 ||
      end == 0)
    return std::nullopt;
  const char* const found = ::strstr(months, month);
  if (found == nullptr || (found - months) % 3 != 0 || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const std::chrono::year_month_day when{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(found - months) / 3 + 1),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!when.ok()) return std::nullopt;
  return int64_t{std::chrono::sys_days(when).time_since_epoch().count()} * 86400 + hour * 3600 + minute * 60 + second;
}

std::optional<long> retry_after(const std::string& header, long now) {
  if (header.empty()) return std::nullopt;
  char* end = nullptr;
  const long seconds = ::strtol(header.c_str(), &end, 10);
  if (end != header.c_str() && *end == '\0') return std::max(seconds, 0L);
  const std::optional<int64_t> date = seconds_of_date(header);
  if (!date) return std::nullopt;
  return static_cast<long>(std::clamp<int64_t>(*date - now, 0, 1L << 30));
}

}  // namespace

bool worth_retrying(const HttpOutcome& outcome) noexcept {
  switch (outcome.problem) {
    case HttpProblem::unreachable:
    case HttpProblem::cut:
    case HttpProblem::stalled:
      return true;
    case HttpProblem::untrusted:
    case HttpProblem::too_long:
    case HttpProblem::cancelled:
      return false;
    case HttpProblem::none:
      break;
  }
  constexpr int passing[] = {408, 429, 500, 502, 503, 504};
  return std::find(std::begin(passing), std::end(passing), outcome.answer.status) != std::end(passing);
}

std::optional<long> limit_wait(const HttpAnswer& answer) {
  const std::string limit = answer.header("ratelimit");
  if (parameter(limit, "r") != 0) return std::nullopt;
  const auto seconds = parameter(limit, "t");
  return seconds ? std::optional(std::min(*seconds, 1L << 30) + 1) : std::nullopt;
}

std::optional<long> asked_wait(const HttpAnswer& answer, long now) {
  if (const auto seconds = limit_wait(answer)) return seconds;
  return retry_after(answer.header("retry-after"), now);
}

double backoff(int failed) noexcept {
  return std::min(8.0, 0.5 * static_cast<double>(1 << std::clamp(failed - 1, 0, 8)));
}

}  // namespace quern
