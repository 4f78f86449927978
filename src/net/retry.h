// When a request is sent again, and how long before.
#pragma once
#include <optional>
#include <string>

#include "net/http.h"

namespace quern {

// Whether the same request may well succeed later.
bool worth_retrying(const HttpOutcome& outcome) noexcept;

// Seconds until the window of a limit that is reached ends: `RateLimit: "api";r=0;t=55` (obeyed at r=0 alone: it comes
// on every answer).
std::optional<long> limit_wait(const HttpAnswer& answer);

// Seconds that the server wants to be left alone: by limit_wait or Retry-After, a number or a date. now: Unix seconds.
std::optional<long> asked_wait(const HttpAnswer& answer, long now);

// Seconds before the next try, of tries that failed in a row: 0.5, 1, 2, 4, 8, 8 …
double backoff(int failed) noexcept;

}  // namespace quern
