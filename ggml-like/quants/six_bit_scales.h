// The 12 bytes of q4_k and q5_k with eight scales and eight mins of 6 bits: of the first four the low 6 bits of a byte
// each; of the others 4 bits in the last four bytes, and 2 on top of the first ones.
#pragma once
#include "quants/block_type.h"

namespace quern {

inline void six_bit_scales(const uint8_t* s, BlockParts& p) {
  for (int i = 0; i < 4; ++i) {
    p.sub_scale[i] = static_cast<int8_t>(s[i] & 63);
    p.sub_min[i] = static_cast<int8_t>(s[i + 4] & 63);
    p.sub_scale[i + 4] = static_cast<int8_t>((s[i + 8] & 15) | s[i] >> 6 << 4);
    p.sub_min[i + 4] = static_cast<int8_t>(s[i + 8] >> 4 | s[i + 4] >> 6 << 4);
  }
}

}  // namespace quern
