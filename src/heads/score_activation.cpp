#include "heads/score_activation.h"

#include <algorithm>

#include "exact_math.h"

namespace quern {
namespace {

void apply_sigmoid(float* x, int64_t n) noexcept {
  for (int64_t i = 0; i < n; ++i) x[i] = sigmoid(x[i]);
}

// Less the largest score first, so that no exponential overflows.
void apply_softmax(float* x, int64_t n) noexcept {
  const float top = *std::max_element(x, x + n);
  float total = 0;
  for (int64_t i = 0; i < n; ++i) total += x[i] = static_cast<float>(exponential(x[i] - top));
  for (int64_t i = 0; i < n; ++i) x[i] /= total;
}

constexpr ScoreActivation kScoreActivations[] = {
    {"none", "Identity", nullptr},
    {"sigmoid", "Sigmoid", apply_sigmoid},
    {"softmax", nullptr, apply_softmax},
};

}  // namespace

std::span<const ScoreActivation> score_activations() {
  return kScoreActivations;
}

const ScoreActivation* find_score_activation(std::string_view name) {
  for (const ScoreActivation& row : kScoreActivations)
    if (name == row.name) return &row;
  return nullptr;
}

}  // namespace quern
