// See sampling_options.h.
#include "sampling_options.h"

#include <cmath>
#include <string>

#include "error.h"

namespace quern {
namespace {

struct Range {
  const char* field;
  float SamplingOptions::*value;
  float min, max;
  bool min_excluded;
};
constexpr Range ranges[] = {
    {"temperature", &SamplingOptions::temperature, 0, 100, false},
    {"top_p", &SamplingOptions::top_p, 0, 1, false},
    {"min_p", &SamplingOptions::min_p, 0, 1, false},
    {"typical_p", &SamplingOptions::typical_p, 0, 1, true},
    {"repetition_penalty", &SamplingOptions::repetition_penalty, 0, 100, true},
    {"frequency_penalty", &SamplingOptions::frequency_penalty, -2, 2, false},
    {"presence_penalty", &SamplingOptions::presence_penalty, -2, 2, false},
};

struct IntRange {
  const char* field;
  int SamplingOptions::*value;
  int min, max;
};
constexpr IntRange int_ranges[] = {
    {"top_k", &SamplingOptions::top_k, 0, INT32_MAX},
    {"penalty_last_n", &SamplingOptions::penalty_last_n, SamplingOptions::whole_history, INT32_MAX},
    {"logprobs", &SamplingOptions::logprobs, SamplingOptions::no_logprobs, SamplingOptions::max_logprobs},
};

// "0.5", not "0.500000".
std::string number(float value) {
  std::string text = std::to_string(value);
  if (text.find('.') == std::string::npos) return text;  // nan, inf
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

[[noreturn]] void fail(const std::string& what) {
  throw Error(Status::bad_argument, what);
}

}  // namespace

void check(const SamplingOptions& options, size_t n_vocab) {
  for (const Range& r : ranges) {
    const float value = options.*r.value;
    if ((r.min_excluded ? value > r.min : value >= r.min) && value <= r.max) continue;  // not so for NaN
    fail(std::string(r.field) + " is " + number(value) + ", but should be " + (r.min_excluded ? "above " : "") +
         number(r.min) + " to " + number(r.max));
  }
  for (const IntRange& r : int_ranges) {
    const int value = options.*r.value;
    if (value >= r.min && value <= r.max) continue;
    fail(std::string(r.field) + " is " + std::to_string(value) + ", but should be " + std::to_string(r.min) + " to " +
         std::to_string(r.max));
  }
  for (const auto& [id, bias] : options.logit_bias) {
    if (id < 0 || static_cast<size_t>(id) >= n_vocab) {
      fail("logit_bias names the token " + std::to_string(id) + ", which is not one of 0 to " +
           std::to_string(n_vocab) + " - 1");
    }
    if (std::isnan(bias) || bias == INFINITY) {
      fail("logit_bias of the token " + std::to_string(id) + " is " + number(bias) + ", but should be finite or -inf");
    }
  }
}

}  // namespace quern
