// q3_k: blocks of 256: {3rd bits [256]; u2 q[256]; u6 scale[16]; f16 d}, w = d·(scale - 32)·(q - 4).
#pragma once
#include "quants/block_panels.h"
#include "quants/type_info.h"

namespace quern {

struct Q3_K : BlockType<Q3_K> {
  static const TypeInfo info;
  static constexpr int block = 256;
  static constexpr int bytes = 110;
  static constexpr int bits = 3;
  static constexpr int sub = 16;
  static constexpr int zero = 4;
  static void take_apart(const uint8_t* block, BlockParts& p);
};

}  // namespace quern
