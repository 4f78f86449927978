// q4_0: GGUF type 2, blocks of 32 weights: {f16 d; u8 q[16]}, w[j] = d·(low nibble of q[j] - 8), w[j + 16] the high.
#pragma once
#include "quants/block_rows.h"
#include "quants/type_info.h"

namespace quern {

struct Q4_0 : BlockRows<Q4_0> {
  static constexpr int block_bytes = 18;
  static const TypeInfo info;
  template <class S>
  static QUERN_INLINE typename S::I8x32 unpack(const char* q) {
    return S::load_nibbles_minus_8(q);
  }
};

}  // namespace quern
