// What label scores go through, by the names that pipelines have. A new one is its line in score_activation.cpp.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace quern {

struct ScoreActivation {
  const char* name;
  const char* torch;                            // torch's class that cross-encoders state; null: they state none
  void (*apply)(float* x, int64_t n) noexcept;  // to one text's scores, in place; null: they stay
};

std::span<const ScoreActivation> score_activations();
const ScoreActivation* find_score_activation(std::string_view name);  // null: there is none

}  // namespace quern
