// q4_0: blocks of 32: {f16 d; u4 q[32]}, w = d·(q - 8).
#pragma once
#include "quants/block_panels.h"
#include "quants/type_info.h"

namespace quern {

struct Q4_0 : BlockType<Q4_0> {
  static const TypeInfo info;
  static constexpr int block = 32;
  static constexpr int bytes = 18;
  static constexpr int bits = 4;
  static constexpr int zero = 8;
  static void take_apart(const uint8_t* block, BlockParts& p);
};

}  // namespace quern
