#include "quants/q6_k/q6_k.h"

namespace quern {

void Q6_K::take_apart(const uint8_t* block, BlockParts& p) {
  __builtin_memcpy(&p.scale, block + 208, 2);
  __builtin_memcpy(p.sub_scale, block + 192, 16);
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128, low = block[half * 64 + i % 64] >> (i % 128 / 64 * 4) & 15;
    const int high = block[128 + half * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
    p.code[i] = static_cast<uint8_t>(low | high << 4);
  }
}

constinit const TypeInfo Q6_K::info = describe("q6_k", nullptr);

}  // namespace quern
