// The tokens that may be chosen, and the stages that make them fewer.
// A new stage is a function in truncation.cpp and a line in its table.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "sampling_options.h"

namespace quern {

struct Candidate {
  int32_t id;
  float logit;
  double weight;  // in proportion to the probability; 1 for the likeliest token
};

// The likelier first; of equal ones the lower id.
constexpr bool likelier(const Candidate& a, const Candidate& b) noexcept {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

// The k likeliest of the logits above -inf, in no order; all of them if there are fewer. Reuses out's memory.
void select_likeliest(std::span<const float> logits, size_t k, std::vector<Candidate>& out);

// Reads weights from the logits, divided by the temperature.
void weigh(std::vector<Candidate>& candidates, float temperature);

// top_p, min_p and typical_p in this order, each of what the one before left, as transformers does it. At least one
// candidate stays. The order of those that stay depends on nothing but them.
void truncate(std::vector<Candidate>& candidates, const SamplingOptions& options);

}  // namespace quern
