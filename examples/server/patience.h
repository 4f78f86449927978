// Until when a request waits for its answer, and what the library says went wrong meanwhile.
#pragma once
#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "../handles.h"
#include "refusal.h"

namespace server {

using namespace handles;
using Clock = std::chrono::steady_clock;

// How often a waiting request looks whether its client is still there.
constexpr int64_t kLookMs = 200;

struct Patience {
  Clock::time_point until = Clock::time_point::max();
  std::function<bool()> gone = [] { return false; };

  // Why no answer is waited for any more; nullopt: one is.
  std::optional<Refusal> end() const {
    if (Clock::now() >= until) return Refusal{Reason::deadline, "the request took longer than the deadline"};
    if (gone()) return Refusal{Reason::deadline, "the client has gone"};
    return std::nullopt;
  }

  // What is left of it, as the library's schedulers take it.
  int64_t timeout_ms() const {
    if (until == Clock::time_point::max()) return 0;
    return std::max<int64_t>(1, std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count());
  }
};

struct QuernError {
  quern_status status;
  std::string message;
};
inline void check(quern_status status) {
  if (status != QUERN_OK) throw QuernError{status, quern_last_error()};
}
// As a refusal: wrong use is the request's fault, everything else the model's or the server's.
Refusal refusal_of(const QuernError& error);
// Of the exception that is being handled.
Refusal refusal_of_current();

}  // namespace server
