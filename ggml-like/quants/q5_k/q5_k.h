// q5_k: blocks of 256: {f16 d, m; u6 scale and u6 min [8]; 5th bits [256]; u4 q[256]},
// w = d·scale·q - m·min.
#pragma once
#include "quants/block_panels.h"
#include "quants/type_info.h"

namespace quern {

struct Q5_K : BlockType<Q5_K> {
  static const TypeInfo info;
  static constexpr int block = 256;
  static constexpr int bytes = 176;
  static constexpr int bits = 5;
  static constexpr bool mins = true;
  static void take_apart(const uint8_t* block, BlockParts& p);
};

}  // namespace quern
