// q8_0: GGUF type 8, blocks of 32 weights: {f16 d; s8 q[32]}, w = d·q.
#pragma once
#include "quants/block_rows.h"
#include "quants/type_info.h"

namespace quern {

struct Q8_0 : BlockRows<Q8_0> {
  static constexpr int block_bytes = 34;
  static const TypeInfo info;
  template <class S>
  static QUERN_INLINE typename S::I8x32 unpack(const char* q) {
    return S::load_i8x32(q);
  }
};

}  // namespace quern
