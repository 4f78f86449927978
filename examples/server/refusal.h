// Why a request gets no answer, and how each dialect's clients are told.
#pragma once
#include <string>

namespace server {

enum class Reason {
  malformed,      // not JSON
  wrong_type,     // a field of another type, or out of range
  validation,     // well formed, but not possible: too long, too many
  empty,          // nothing to work on
  wrong_task,     // the model does not do that
  unknown_model,  // several fit, or none has the name
  conflict,       // another fingerprint than the expected one
  overloaded,
  memory,  // there was none for it
  deadline,
  draining,
  unauthorized,
  forbidden,
  not_found,
  method,
  too_slow,
  body_size,
  media_type,
  head_size,
  failed,  // the model failed at this input
  internal,
};

struct Refusal {
  Reason reason;
  std::string message;  // one sentence
  std::string param = {};
};

enum class Dialect { openai, tei, tgi, anthropic, ollama };

struct RefusalText {
  int status;
  std::string body;  // JSON
};
// old_tei: 413 in place of 422 for what validation finds, as servers before 1.9 answered.
RefusalText render(const Refusal& refusal, Dialect dialect, bool old_tei);

}  // namespace server
