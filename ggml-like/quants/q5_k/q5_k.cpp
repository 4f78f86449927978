#include "quants/q5_k/q5_k.h"

#include "quants/six_bit_scales.h"

namespace quern {

void Q5_K::take_apart(const uint8_t* block, BlockParts& p) {
  __builtin_memcpy(&p.scale, block, 2);
  __builtin_memcpy(&p.min, block + 2, 2);
  six_bit_scales(block + 4, p);
  for (int i = 0; i < 256; ++i) {
    const int low = block[48 + i / 64 * 32 + i % 32] >> (i % 64 / 32 * 4) & 15,
              high = block[16 + i % 32] >> (i / 32) & 1;
    p.code[i] = static_cast<uint8_t>(low | high << 4);
  }
}

constinit const TypeInfo Q5_K::info = describe("q5_k", nullptr);

}  // namespace quern
