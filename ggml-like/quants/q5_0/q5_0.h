// q5_0: blocks of 32: {f16 d; 5th bits u32; u4 q[32]}, w = d·(q - 16).
#pragma once
#include "quants/block_panels.h"
#include "quants/type_info.h"

namespace quern {

struct Q5_0 : BlockType<Q5_0> {
  static const TypeInfo info;
  static constexpr int block = 32;
  static constexpr int bytes = 22;
  static constexpr int bits = 5;
  static constexpr int zero = 16;
  static void take_apart(const uint8_t* block, BlockParts& p);
};

}  // namespace quern
