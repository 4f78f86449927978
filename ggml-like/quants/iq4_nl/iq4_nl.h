// iq4_nl: blocks of 32: {f16 d; u4 q[32]}, w = d·values[q]: steps that are finer near zero.
#pragma once
#include "quants/block_panels.h"
#include "quants/type_info.h"

namespace quern {

struct IQ4_NL : BlockType<IQ4_NL> {
  static const TypeInfo info;
  static constexpr int block = 32;
  static constexpr int bytes = 18;
  static constexpr int bits = 4;
  static constexpr bool is_signed = true;
  static constexpr bool has_table = true;
  static constexpr CodeTable table() {
    return {{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}};
  }
  static void take_apart(const uint8_t* block, BlockParts& p);
};

}  // namespace quern
