// q8_0: blocks of 32: {f16 d; s8 q[32]}, w = d·q.
#pragma once
#include "quants/block_panels.h"
#include "quants/type_info.h"

namespace quern {

struct Q8_0 : BlockType<Q8_0> {
  static const TypeInfo info;
  static constexpr int block = 32;
  static constexpr int bytes = 34;
  static constexpr int bits = 8;
  static constexpr bool is_signed = true;
  static void take_apart(const uint8_t* block, BlockParts& p);
};

}  // namespace quern
