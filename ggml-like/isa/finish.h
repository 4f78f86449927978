// How every panel type's product ends: what happens to a tile's results before they leave the registers. Included by
// ISA-flagged files only.
#pragma once
#include "isa/elementwise.h"
#include "kernels.h"
#include "quants/tiles.h"

namespace quern {

// e for columns from n on.
template <class S>
QUERN_INLINE Epilogue from_column(const Epilogue& e, int64_t n) {
  return {e.bias ? e.bias + n : nullptr, e.activation, e.residual ? e.residual + n : nullptr, e.residual_stride};
}

// The bias of a tile's vector v, zero where there is none.
template <class S>
QUERN_INLINE typename S::F bias_of(const Epilogue& e, int v, int64_t valid) {
  return e.bias ? Elementwise<S>::load_some(e.bias, v * S::lanes, valid) : S::zero();
}

// Rows [m, m + R) of y = the rest of the epilogue of a tile whose bias has been added; y and e begin at the tile's
// first column. The residual may be y itself where there is no activation.
template <class S, int R, int V>
QUERN_INLINE void finish_tile(const typename S::F (&tile)[R][V], int64_t valid, const Epilogue& e, int64_t m, float* y,
                              int64_t stride) {
  constexpr int cols = V * S::lanes;
  y += m * stride;
  const Epilogue rest{nullptr, e.activation, e.residual ? e.residual + m * e.residual_stride : nullptr,
                      e.residual_stride};
  const auto store = [&](int r, int v, typename S::F value) {
    if (valid < cols)
      Elementwise<S>::store_some(value, y + r * stride, v * S::lanes, valid);
    else
      S::store(value, y + r * stride + v * S::lanes);
  };
  if (e.residual && e.activation == Activation::none) {
    QUERN_UNROLL for (int r = 0; r < R; ++r) {
      const float* const residual = rest.residual + r * e.residual_stride;
      QUERN_UNROLL for (int v = 0; v < V; ++v) {
        const auto added =
            valid < cols ? Elementwise<S>::load_some(residual, v * S::lanes, valid) : S::load(residual + v * S::lanes);
        store(r, v, S::add(tile[r][v], added));
      }
    }
    return;
  }
  QUERN_UNROLL for (int r = 0; r < R; ++r) {
    QUERN_UNROLL for (int v = 0; v < V; ++v) store(r, v, tile[r][v]);
  }
  if (e.activation != Activation::none) Elementwise<S>::epilogue(y, R, valid, stride, rest);
}

}  // namespace quern
