#include "quants/q2_k/q2_k.h"

namespace quern {

void Q2_K::take_apart(const uint8_t* block, BlockParts& p) {
  __builtin_memcpy(&p.scale, block + 80, 2);
  __builtin_memcpy(&p.min, block + 82, 2);
  for (int s = 0; s < 16; ++s) {
    p.sub_scale[s] = static_cast<int8_t>(block[s] & 15);
    p.sub_min[s] = static_cast<int8_t>(block[s] >> 4);
  }
  for (int i = 0; i < 256; ++i) p.code[i] = block[16 + i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
}

constinit const TypeInfo Q2_K::info = describe("q2_k", nullptr);

}  // namespace quern
