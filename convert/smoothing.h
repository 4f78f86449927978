// Smoothing factors: which share of the rounding error of a linear its activations take, and which its weights.
#pragma once
#include <cstdint>
#include <vector>

#include "parallel.h"

namespace quern {

// What the factors are chosen for.
struct SmoothingInput {
  int64_t K = 0;
  const std::vector<float>& samples;   // rows of K activations
  const std::vector<float>& weights;   // (N, K)
  const std::vector<float>& variance;  // K: what the weights' rounding errors meet, see calibration.h
  int64_t group = 0;                   // weights that share a scale, along K
  int64_t activation_group = 0;        // activations of a row that do
  float steps = 0;                     // codes that a weight may take, less one
};

// Factors m: x_k is multiplied by m_k and w_k divided by it (SmoothQuant, Xiao et al., arXiv 2211.10438), such that the
// expected squared error of the linear's outputs is least. Ones where samples or variance are empty
// or values are not finite.
std::vector<float> smoothing(const SmoothingInput& in, Pool& pool);

}  // namespace quern
