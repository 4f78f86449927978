// q6_k: blocks of 256: {u4 low bits [256]; u2 high bits [256]; s8 scale[16]; f16 d}, w = d·scale·(q -
// 32).
#pragma once
#include "quants/block_panels.h"
#include "quants/type_info.h"

namespace quern {

struct Q6_K : BlockType<Q6_K> {
  static const TypeInfo info;
  static constexpr int block = 256;
  static constexpr int bytes = 210;
  static constexpr int bits = 6;
  static constexpr int sub = 16;
  static constexpr int zero = 32;
  static void take_apart(const uint8_t* block, BlockParts& p);
};

}  // namespace quern
