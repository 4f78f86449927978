#include "quants/q4_k/q4_k.h"

#include "quants/six_bit_scales.h"

namespace quern {

void Q4_K::take_apart(const uint8_t* block, BlockParts& p) {
  __builtin_memcpy(&p.scale, block, 2);
  __builtin_memcpy(&p.min, block + 2, 2);
  six_bit_scales(block + 4, p);
  for (int i = 0; i < 256; ++i) p.code[i] = block[16 + i / 64 * 32 + i % 32] >> (i % 64 / 32 * 4) & 15;
}

constinit const TypeInfo Q4_K::info = describe("q4_k", nullptr);

}  // namespace quern
