// f16: row-major; five bits of exponent: weights above 65504 do not fit.
#pragma once
#include "quants/row_kernels.h"
#include "quants/type_info.h"

namespace quern {

struct F16 : FloatRows<F16> {
  using Stored = uint16_t;
  static const TypeInfo info;
  template <class S>
  static QUERN_INLINE typename S::F decode_lanes(const uint16_t* w) {
    return S::load_f16(w);
  }
};

}  // namespace quern
