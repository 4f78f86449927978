#include "net/retry.h"

#include <stdlib.h>
#include <time.h>

#include <algorithm>

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

std::optional<long> retry_after(const std::string& header, long now) {
  if (header.empty()) return std::nullopt;
  char* end = nullptr;
  const long seconds = ::strtol(header.c_str(), &end, 10);
  if (end != header.c_str() && *end == '\0') return std::max(seconds, 0L);
  tm date = {};
  const char* rest = ::strptime(header.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
  if (rest == nullptr) return std::nullopt;
  return std::max(static_cast<long>(::timegm(&date)) - now, 0L);
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
