// Error-compensated rounding (GPTQ, Frantar et al., arXiv 2210.17323): after a weight is rounded, its error is spread
// over the weights of the same output that are not rounded yet, as the inputs' correlations say. Used when files are
// made.
#pragma once
#include <cstdint>

namespace quern {

constexpr int kPanel = 16;  // outputs that are rounded side by side

// w: K × 16, one column per output, changed as it goes. U: (K, K) upper Cholesky factor of the inverse of XᵀX, or null
// for plain rounding to nearest. code(k, values) turns the 16 weights of step k into what they will be read back as.
template <class Code>
void round_compensated(float* w, int64_t K, const float* U, const Code& code) {
  for (int64_t k = 0; k < K; ++k) {
    float* now = w + k * kPanel;
    float before[kPanel];
    for (int c = 0; c < kPanel; ++c) before[c] = now[c];
    code(k, now);
    if (!U) continue;
    float error[kPanel];
    const float inverse = 1.0f / U[k * K + k];
    for (int c = 0; c < kPanel; ++c) error[c] = (before[c] - now[c]) * inverse;
    for (int64_t j = k + 1; j < K; ++j) {
      const float u = U[k * K + j];
      float* later = w + j * kPanel;
      for (int c = 0; c < kPanel; ++c) later[c] -= error[c] * u;
    }
  }
}

}  // namespace quern
