// q2_k: blocks of 256: {u4 scale and u4 min [16]; u2 q[256]; f16 d, m}, w = d·scale·q - m·min.
#pragma once
#include "quants/block_panels.h"
#include "quants/type_info.h"

namespace quern {

struct Q2_K : BlockType<Q2_K> {
  static const TypeInfo info;
  static constexpr int block = 256;
  static constexpr int bytes = 84;
  static constexpr int bits = 2;
  static constexpr int sub = 16;
  static constexpr bool mins = true;
  static void take_apart(const uint8_t* block, BlockParts& p);
};

}  // namespace quern
