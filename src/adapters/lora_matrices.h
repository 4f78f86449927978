// The two matrices of a module, as its base model's shapes have them.
#pragma once
#include <string>
#include <vector>

#include "adapters/peft_folder.h"

namespace quern {

// What a module adds to a matrix (rows, K) before it is scaled: left · right.
struct LoraMatrices {
  std::vector<float> left, right;  // (rows, r), (r, K)
  int64_t r, K;
};

// rows: of the whole module. Throws Error: shapes that contradict the base model's or the settings, missing halves,
// values that are not finite.
LoraMatrices lora_matrices(const PeftConfig& config, const std::string& name, const PeftModule& module, int64_t rows,
                           int64_t K);

// "file: tensor 'x' of module", for messages.
std::string tensor_of_module(const WeightTensor& tensor, const std::string& name);

void expect_shape(const WeightTensor& tensor, std::initializer_list<int64_t> shape, const std::string& layer);

}  // namespace quern
