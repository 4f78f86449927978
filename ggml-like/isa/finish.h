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

// e for rows from m on.
template <class S>
QUERN_INLINE Epilogue from_row(const Epilogue& e, int64_t m) {
  return {e.bias, e.activation, e.residual ? e.residual + m * e.residual_stride : nullptr, e.residual_stride};
}

// The bias of a tile's vector v, zero where there is none.
template <class S>
QUERN_INLINE typename S::F bias_of(const Epilogue& e, int v, int64_t valid) {
  return e.bias ? Elementwise<S>::load_some(e.bias, v * S::lanes, valid) : S::zero();
}

// Rows [m, m + R) of y = the rest of the epilogue of a tile whose bias has been added; y and e begin at the tile's
// first column.
template <class S, int R, int V>
QUERN_INLINE void finish_tile(const typename S::F (&tile)[R][V], int64_t valid, const Epilogue& e, int64_t m, float* y,
                              int64_t stride) {
  constexpr int cols = V * S::lanes;
  y += m * stride;
  const Epilogue rest{nullptr, e.activation, e.residual ? e.residual + m * e.residual_stride : nullptr,
                      e.residual_stride};
  if (valid < cols) {
    QUERN_UNROLL for (int r = 0; r < R; ++r) {
      QUERN_UNROLL for (int v = 0; v < V; ++v)
          Elementwise<S>::store_some(tile[r][v], y + r * stride, v * S::lanes, valid);
    }
  } else if (e.residual && e.activation == Activation::none) {
    QUERN_UNROLL for (int r = 0; r < R; ++r) {
      QUERN_UNROLL for (int v = 0; v < V; ++v) {
        const auto residual = S::load(rest.residual + r * e.residual_stride + v * S::lanes);
        S::store(S::add(tile[r][v], residual), y + r * stride + v * S::lanes);
      }
    }
    return;
  } else {
    QUERN_UNROLL for (int r = 0; r < R; ++r) {
      QUERN_UNROLL for (int v = 0; v < V; ++v) S::store(tile[r][v], y + r * stride + v * S::lanes);
    }
    if (e.activation == Activation::none) return;
  }
  Elementwise<S>::epilogue(y, R, valid, stride, rest);
}

}  // namespace quern
