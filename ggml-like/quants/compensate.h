// Error-compensated rounding (GPTQ, Frantar et al., arXiv 2210.17323): after a weight is rounded, its error is spread
// over the weights of the same output that are not rounded yet, as the inputs' correlations say. Used when files are
// made.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "quants/type_info.h"

namespace quern {

constexpr int kPanel = 16;  // outputs that lie side by side

// w: `outputs` rows of K weights, changed as it goes. code(k, values) turns the weights of step k, one of each output,
// into what they will be read back as.
template <class Code>
void round_compensated(float* w, int64_t outputs, int64_t K, const Rounding& rounding, const Code& code) {
  // Errors reach the rest of their block at once, and what is behind it together.
  constexpr int64_t kBlock = 64, kColumns = 512;
  std::vector<float> now(static_cast<size_t>(outputs)), errors(static_cast<size_t>(outputs * kBlock)),
      change(static_cast<size_t>(outputs * kColumns));
  for (int64_t first = 0; first < K; first += kBlock) {
    const int64_t end = std::min(K, first + kBlock);
    const Rounding::Factor* const factor = rounding.U.empty() ? nullptr : &rounding.U[first / rounding.together];
    const int64_t base = factor ? first / rounding.together * rounding.together : 0;  // whose errors stay among these
    const int64_t reach = factor ? std::min(K, base + rounding.together) : end;
    for (int64_t k = first; k < end; ++k) {
      for (int64_t n = 0; n < outputs; ++n) now[static_cast<size_t>(n)] = w[n * K + k];
      code(k, now.data());
      if (!factor) continue;
      const float* const u = factor->row(k - base);
      const float inverse = 1.0f / u[k - base];
      for (int64_t n = 0; n < outputs; ++n) {
        float* const row = w + n * K;
        const float error = (row[k] - now[static_cast<size_t>(n)]) * inverse;
        errors[static_cast<size_t>(n * kBlock + k - first)] = error;
        for (int64_t j = k + 1; j < end; ++j) row[j] -= error * u[j - base];
      }
    }
    for (int64_t j = end; j < reach; j += kColumns) {
      const int64_t columns = std::min(kColumns, reach - j);
      rounding.gemm(outputs, columns, end - first, errors.data(), kBlock, factor->row(first - base) + j - base,
                    factor->stride, change.data(), kColumns);
      for (int64_t n = 0; n < outputs; ++n)
        for (int64_t i = 0; i < columns; ++i) w[n * K + j + i] -= change[static_cast<size_t>(n * kColumns + i)];
    }
  }
}

}  // namespace quern
