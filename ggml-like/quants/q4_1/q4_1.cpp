#include "quants/q4_1/q4_1.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace quern {
namespace {

// From the least value to the largest.
void encode(const float* x, void* row, int64_t K) noexcept {
  uint8_t* block = static_cast<uint8_t*>(row);
  for (int64_t k = 0; k < K; k += 32, block += 20, x += 32) {
    const auto [low, high] = std::minmax_element(x, x + 32);
    const float d = (*high - *low) / 15.0f, inverse = d != 0 ? 1.0f / d : 0.0f, least = *low;
    const uint16_t halves[2] = {f32_to_f16(d), f32_to_f16(least)};
    std::memcpy(block, halves, 4);
    const auto code = [&](int i) {
      return static_cast<unsigned>(std::min(15, static_cast<int>((x[i] - least) * inverse + 0.5f)));
    };
    for (int i = 0; i < 16; ++i) block[4 + i] = static_cast<uint8_t>(code(i) | code(i + 16) << 4);
  }
}

}  // namespace

void Q4_1::take_apart(const uint8_t* block, BlockParts& p) {
  __builtin_memcpy(&p.scale, block, 2);
  __builtin_memcpy(&p.min, block + 2, 2);
  for (int i = 0; i < 16; ++i) {
    p.code[i] = block[4 + i] & 15;
    p.code[i + 16] = block[4 + i] >> 4;
  }
}

constinit const TypeInfo Q4_1::info = describe("q4_1", 3, 3, encode);

}  // namespace quern
