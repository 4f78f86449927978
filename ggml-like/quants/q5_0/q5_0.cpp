#include "quants/q5_0/q5_0.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace quern {
namespace {

// The value of largest magnitude becomes the end of the range that has a step more.
void encode(const float* x, void* row, int64_t K) noexcept {
  uint8_t* block = static_cast<uint8_t*>(row);
  for (int64_t k = 0; k < K; k += 32, block += 22, x += 32) {
    float extreme = 0;
    for (int i = 0; i < 32; ++i)
      if (std::fabs(x[i]) > std::fabs(extreme)) extreme = x[i];
    const float d = extreme / -16.0f, inverse = d != 0 ? 1.0f / d : 0.0f;
    const uint16_t half = f32_to_f16(d);
    std::memcpy(block, &half, 2);
    const auto code = [&](int i) {
      return static_cast<unsigned>(std::min(31, static_cast<int>(x[i] * inverse + 16.5f)));
    };
    uint32_t bits = 0;
    for (int i = 0; i < 16; ++i) {
      const unsigned a = code(i), b = code(i + 16);
      block[6 + i] = static_cast<uint8_t>((a & 15) | (b & 15) << 4);
      bits |= (a >> 4) << i | (b >> 4) << (i + 16);
    }
    std::memcpy(block + 2, &bits, 4);
  }
}

}  // namespace

void Q5_0::take_apart(const uint8_t* block, BlockParts& p) {
  __builtin_memcpy(&p.scale, block, 2);
  uint32_t high;
  __builtin_memcpy(&high, block + 2, 4);
  for (int i = 0; i < 16; ++i) {
    p.code[i] = static_cast<uint8_t>((block[6 + i] & 15) | (high >> i & 1) << 4);
    p.code[i + 16] = static_cast<uint8_t>(block[6 + i] >> 4 | (high >> (i + 16) & 1) << 4);
  }
}

constinit const TypeInfo Q5_0::info = describe("q5_0", 6, 8, encode);

}  // namespace quern
