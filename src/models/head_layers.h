// What a task's weights do with last hidden states: dense → activation → norm → out. dense and norm may be missing.
// Architectures say what theirs have (Model::head), model files keep it, heads/ runs it.
#pragma once
#include <string>

#include "kernels.h"

namespace quern {

enum class Task { sequence_classification, token_classification, masked_lm };
const char* task_name(Task task);  // "sequence classification"

struct HeadLayers {
  bool dense = false, dense_bias = true, norm = false, norm_bias = true, out_bias = true;
  Activation activation = Activation::none;  // after dense
  float eps = 0;                             // of norm
  bool mean = false;                         // a text's tokens are averaged first; else its first token is taken,
  bool last = false;                         // or its last
  // In Hugging Face files, as WeightSpec spells them; empty in model files, which have names of their own.
  struct Names {
    std::string dense, norm, out, out_bias;
    bool operator==(const Names&) const = default;
  } hf = {};

  bool operator==(const HeadLayers&) const = default;
};

}  // namespace quern
