#include "quants/q5_1/q5_1.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace quern {
namespace {

// From the least value to the largest.
void encode(const float* x, void* row, int64_t K) noexcept {
  uint8_t* block = static_cast<uint8_t*>(row);
  for (int64_t k = 0; k < K; k += 32, block += 24, x += 32) {
    const auto [low, high] = std::minmax_element(x, x + 32);
    const float d = (*high - *low) / 31.0f, inverse = d != 0 ? 1.0f / d : 0.0f, least = *low;
    const uint16_t halves[2] = {f32_to_f16(d), f32_to_f16(least)};
    std::memcpy(block, halves, 4);
    const auto code = [&](int i) {
      return static_cast<unsigned>(std::min(31, static_cast<int>((x[i] - least) * inverse + 0.5f)));
    };
    uint32_t bits = 0;
    for (int i = 0; i < 16; ++i) {
      const unsigned a = code(i), b = code(i + 16);
      block[8 + i] = static_cast<uint8_t>((a & 15) | (b & 15) << 4);
      bits |= (a >> 4) << i | (b >> 4) << (i + 16);
    }
    std::memcpy(block + 4, &bits, 4);
  }
}

}  // namespace

void Q5_1::take_apart(const uint8_t* block, BlockParts& p) {
  __builtin_memcpy(&p.scale, block, 2);
  __builtin_memcpy(&p.min, block + 2, 2);
  uint32_t high;
  __builtin_memcpy(&high, block + 4, 4);
  for (int i = 0; i < 16; ++i) {
    p.code[i] = static_cast<uint8_t>((block[8 + i] & 15) | (high >> i & 1) << 4);
    p.code[i + 16] = static_cast<uint8_t>(block[8 + i] >> 4 | (high >> (i + 16) & 1) << 4);
  }
}

constinit const TypeInfo Q5_1::info = describe("q5_1", 7, 9, encode);

}  // namespace quern
