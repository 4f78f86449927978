// bf16: row-major; the upper half of an f32.
#pragma once
#include "quants/row_kernels.h"
#include "quants/type_info.h"

namespace quern {

struct BF16 : FloatRows<BF16> {
  using Stored = uint16_t;
  static const TypeInfo info;
  template <class S>
  static QUERN_INLINE typename S::F decode_lanes(const uint16_t* w) {
    return S::load_bf16(w);
  }
};

}  // namespace quern
