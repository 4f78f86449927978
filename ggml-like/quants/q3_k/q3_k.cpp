#include "quants/q3_k/q3_k.h"

namespace quern {

void Q3_K::take_apart(const uint8_t* block, BlockParts& p) {
  __builtin_memcpy(&p.scale, block + 108, 2);
  const uint8_t* s = block + 96;  // the low four bits of scales 0 … 7 and 8 … 15, then the high two of 0, 4, 8, 12 …
  for (int i = 0; i < 16; ++i) {
    const int low = i < 8 ? s[i] & 15 : s[i - 8] >> 4, high = s[8 + i % 4] >> (i / 4 * 2) & 3;
    p.sub_scale[i] = static_cast<int8_t>((low | high << 4) - 32);
  }
  for (int i = 0; i < 256; ++i) {
    const int low = block[32 + i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3, high = block[i % 32] >> (i / 32) & 1;
    p.code[i] = static_cast<uint8_t>(low | high << 2);
  }
}

constinit const TypeInfo Q3_K::info = describe("q3_k", nullptr);

}  // namespace quern
