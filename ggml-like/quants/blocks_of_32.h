// What ggml's blocks of 32 share: how codes of four and five bits lie in a block, and how floats become codes. For the
// types' own .cpp files.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>

#include "quants/half.h"

namespace quern {

// Low nibbles are codes 0 … 15, high ones 16 … 31.
inline void take_nibbles(const uint8_t* q, uint8_t* code) {
  for (int i = 0; i < 16; ++i) {
    code[i] = q[i] & 15;
    code[i + 16] = q[i] >> 4;
  }
}
inline void put_nibbles(const uint8_t* code, uint8_t* q) {
  for (int i = 0; i < 16; ++i) q[i] = static_cast<uint8_t>((code[i] & 15) | (code[i + 16] & 15) << 4);
}

// A u32 with each code's fifth bit, then the nibbles.
inline void take_five_bits(const uint8_t* p, uint8_t* code) {
  uint32_t high;
  std::memcpy(&high, p, 4);
  take_nibbles(p + 4, code);
  for (int i = 0; i < 32; ++i) code[i] = static_cast<uint8_t>(code[i] | (high >> i & 1) << 4);
}
inline void put_five_bits(const uint8_t* code, uint8_t* p) {
  uint32_t high = 0;
  for (int i = 0; i < 32; ++i) high |= static_cast<uint32_t>(code[i] >> 4) << i;
  std::memcpy(p, &high, 4);
  put_nibbles(code, p + 4);
}

// x = d · (code - half), code below 2 · half: the value of largest magnitude becomes the end that has a step more.
// `scale` takes d as f16.
inline void symmetric_codes(const float* x, int half, uint8_t* scale, uint8_t* code) {
  float extreme = 0;
  for (int i = 0; i < 32; ++i)
    if (std::fabs(x[i]) > std::fabs(extreme)) extreme = x[i];
  const float d = extreme / static_cast<float>(-half), inverse = d != 0 ? 1.0f / d : 0.0f;
  const uint16_t bits = f32_to_f16(d);
  std::memcpy(scale, &bits, 2);
  const float middle = static_cast<float>(half) + 0.5f;
  for (int i = 0; i < 32; ++i)
    code[i] = static_cast<uint8_t>(std::min(2 * half - 1, static_cast<int>(x[i] * inverse + middle)));
}

// x = d · code + m, code up to `most`, from the least value to the largest. `scale` takes d and m as f16.
inline void range_codes(const float* x, int most, uint8_t* scale, uint8_t* code) {
  const auto [low, high] = std::minmax_element(x, x + 32);
  const float d = (*high - *low) / static_cast<float>(most), inverse = d != 0 ? 1.0f / d : 0.0f, least = *low;
  const uint16_t bits[2] = {f32_to_f16(d), f32_to_f16(least)};
  std::memcpy(scale, bits, 4);
  for (int i = 0; i < 32; ++i)
    code[i] = static_cast<uint8_t>(std::min(most, static_cast<int>((x[i] - least) * inverse + 0.5f)));
}

}  // namespace quern
