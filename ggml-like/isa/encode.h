// f32 activations → 8-bit codes. Included by ISA-flagged files only.
#pragma once
#include <cstdint>

#include "quants/tiles.h"

namespace quern {

// out[k] = clamp(round(x[k] · smooth[k] · inverse) + zero, low, high) - offset for k < K; smooth may be null.
template <class S, class Code>
QUERN_INLINE void encode_row(const float* x, const float* smooth, int64_t K, float inverse, int zero, int low, int high,
                             int offset, Code* out) {
  const auto factor = S::set1(inverse);
  const auto zeros = S::set1_i32(zero), lows = S::set1_i32(low), highs = S::set1_i32(high),
             offsets = S::set1_i32(offset);
  const auto code = [&](typename S::F v) {
    const auto u = S::add_i32(S::round_i32(S::mul(v, factor)), zeros);
    return S::sub_i32(S::min_i32(S::max_i32(u, lows), highs), offsets);
  };
  int64_t k = 0;
  if (smooth)
    for (; k + S::lanes <= K; k += S::lanes) S::store_codes(code(S::mul(S::load(x + k), S::load(smooth + k))), out + k);
  else
    for (; k + S::lanes <= K; k += S::lanes) S::store_codes(code(S::load(x + k)), out + k);
  if (k < K) {
    alignas(64) float rest[S::lanes] = {};
    alignas(64) Code codes[S::lanes];
    for (int64_t i = 0; k + i < K; ++i) rest[i] = smooth ? x[k + i] * smooth[k + i] : x[k + i];
    S::store_codes(code(S::load(rest)), codes);
    for (int64_t i = 0; k + i < K; ++i) out[k + i] = codes[i];
  }
}

}  // namespace quern
