// What requests of both schedulers share on their way in.
#pragma once
#include <memory>

#include "c_api.h"
#include "run/scheduled.h"

namespace quern::c_api {

inline RequestOptions request_options(const quern_request_options* given) {
  const quern_request_options o = merged(given, quern_request_options_default());
  require(o.timeout_ms >= 0, "timeout_ms: expected 0 (none) or more");
  RequestOptions r;
  if (o.timeout_ms > 0) r.until = after_ms(o.timeout_ms);
  if (o.on_ready) r.on_ready = [f = o.on_ready, user = o.user] { f(user); };
  return r;
}

// Gives a request's handle to its caller, before on_ready can be called, and submits it.
template <class Scheduler, class Handle>
void submit_request(Scheduler& scheduler, std::unique_ptr<Handle> made, Handle** request) {
  const auto rep = made->rep;  // on_ready may free the handle
  *request = made.get();
  try {
    scheduler.submit(rep);
  } catch (...) {
    *request = nullptr;
    throw;
  }
  made.release();
}

inline void throw_unless_ok(const Outcome& outcome) {
  if (outcome.status != Status::ok) throw Error(outcome.status, outcome.message);
}

}  // namespace quern::c_api
