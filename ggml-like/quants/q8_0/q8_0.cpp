#include "quants/q8_0/q8_0.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace quern {
namespace {

// Symmetric; halves are rounded away from zero.
void encode(const float* x, void* row, int64_t K) noexcept {
  uint8_t* block = static_cast<uint8_t*>(row);
  for (int64_t k = 0; k < K; k += 32, block += 34, x += 32) {
    float top = 0;
    for (int i = 0; i < 32; ++i) top = std::max(top, std::fabs(x[i]));
    const float d = top / 127.0f, inverse = d != 0 ? 1.0f / d : 0.0f;
    const uint16_t half = f32_to_f16(d);
    std::memcpy(block, &half, 2);
    for (int i = 0; i < 32; ++i) block[2 + i] = static_cast<uint8_t>(static_cast<int8_t>(std::roundf(x[i] * inverse)));
  }
}

}  // namespace

void Q8_0::take_apart(const uint8_t* block, BlockParts& p) {
  __builtin_memcpy(&p.scale, block, 2);
  __builtin_memcpy(p.code, block + 2, 32);
}

constinit const TypeInfo Q8_0::info = describe("q8_0", encode);

}  // namespace quern
