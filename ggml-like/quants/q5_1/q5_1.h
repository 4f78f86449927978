// q5_1: blocks of 32: {f16 d, m; 5th bits u32; u4 q[32]}, w = d·q + m.
#pragma once
#include "quants/block_panels.h"
#include "quants/type_info.h"

namespace quern {

struct Q5_1 : BlockType<Q5_1> {
  static const TypeInfo info;
  static constexpr int block = 32;
  static constexpr int bytes = 24;
  static constexpr int bits = 5;
  static constexpr bool mins = true;
  static void take_apart(const uint8_t* block, BlockParts& p);
};

}  // namespace quern
