// f32: row-major.
#pragma once
#include "quants/row_kernels.h"
#include "quants/type_info.h"

namespace quern {

struct F32 : FloatRows<F32> {
  using Stored = float;
  static const TypeInfo info;
  template <class S>
  static QUERN_INLINE typename S::F decode_lanes(const float* w) {
    return S::load(w);
  }
};

}  // namespace quern
