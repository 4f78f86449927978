// mxfp4 (OCP Microscaling Formats 1.0): blocks of 32: {u8 e; u4 q[32]}, w = 2^(e - 128)·v, v twice the
// value of the 4-bit float q: 0, 1, 2, 3, 4, 6, 8, 12 and their negatives.
#pragma once
#include "quants/block_panels.h"
#include "quants/type_info.h"

namespace quern {

struct MXFP4 : BlockType<MXFP4> {
  static const TypeInfo info;
  static constexpr int block = 32;
  static constexpr int bytes = 17;
  static constexpr int bits = 4;
  static constexpr int zero = 12;
  static constexpr int top = 24;
  static constexpr bool bf16_scale = true;
  static constexpr bool has_table = true;
  static constexpr CodeTable table() { return {{12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0}}; }
  static void take_apart(const uint8_t* block, BlockParts& p);
};

}  // namespace quern
