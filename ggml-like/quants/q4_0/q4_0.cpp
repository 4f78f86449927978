#include "quants/q4_0/q4_0.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace quern {
namespace {

// The value of largest magnitude becomes the end of the range that has a step more.
void encode(const float* x, void* row, int64_t K) noexcept {
  uint8_t* block = static_cast<uint8_t*>(row);
  for (int64_t k = 0; k < K; k += 32, block += 18, x += 32) {
    float extreme = 0;
    for (int i = 0; i < 32; ++i)
      if (std::fabs(x[i]) > std::fabs(extreme)) extreme = x[i];
    const float d = extreme / -8.0f, inverse = d != 0 ? 1.0f / d : 0.0f;
    const uint16_t half = f32_to_f16(d);
    std::memcpy(block, &half, 2);
    const auto code = [&](int i) {
      return static_cast<unsigned>(std::min(15, static_cast<int>(x[i] * inverse + 8.5f)));
    };
    for (int i = 0; i < 16; ++i) block[2 + i] = static_cast<uint8_t>(code(i) | code(i + 16) << 4);
  }
}

}  // namespace

void Q4_0::take_apart(const uint8_t* block, BlockParts& p) {
  __builtin_memcpy(&p.scale, block, 2);
  for (int i = 0; i < 16; ++i) {
    p.code[i] = block[2 + i] & 15;
    p.code[i + 16] = block[2 + i] >> 4;
  }
}

constinit const TypeInfo Q4_0::info = describe("q4_0", 2, 2, encode);

}  // namespace quern
