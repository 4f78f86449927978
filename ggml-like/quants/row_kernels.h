// Kernels of the row types (f32, f16, bf16, q8_0, q4_0): weights row-major as a GGUF file holds them, both operands
// contiguous along K. A tile keeps R × C vectors of partial sums and adds their lanes up at the end, so the order of
// summation of one output is fixed by the vector length alone. Included by ISA-flagged files only.
#pragma once
#include "isa/elementwise.h"
#include "kernels.h"
#include "quants/tiles.h"

namespace quern {

// T gives, for a vocabulary S:
//   chunk<S>                 values of K that one step takes
//   W; load_x, load_w        one chunk of activations and of weights
//   has_tail                 K need not be a multiple of chunk: load_tail_x/w take n < chunk values, the rest zero
//   step(acc, x, w)          acc += x · w, lane by lane
template <class S, class T>
struct RowKernels {
  template <int R, int C>
  static void tile(const char* x, size_t x_bytes, const char* w, size_t w_bytes, int64_t K, float* y, int64_t stride) {
    typename S::F acc[R][C];
    QUERN_UNROLL for (int r = 0; r < R; ++r) {
      QUERN_UNROLL for (int c = 0; c < C; ++c) acc[r][c] = S::zero();
    }
    int64_t k = 0;
    for (; k + T::template chunk<S> <= K; k += T::template chunk<S>) {
      typename T::template W<S> weights[C];
      QUERN_UNROLL for (int c = 0; c < C; ++c) weights[c] = T::template load_w<S>(w + c * w_bytes, k);
      QUERN_UNROLL for (int r = 0; r < R; ++r) {
        const auto values = T::template load_x<S>(x + r * x_bytes, k);
        QUERN_UNROLL for (int c = 0; c < C; ++c) T::template step<S>(acc[r][c], values, weights[c]);
      }
    }
    if constexpr (T::has_tail) {
      if (k < K) {
        QUERN_UNROLL for (int r = 0; r < R; ++r) {
          const auto values = T::template load_tail_x<S>(x + r * x_bytes, k, K - k);
          QUERN_UNROLL for (int c = 0; c < C; ++c)
              T::template step<S>(acc[r][c], values, T::template load_tail_w<S>(w + c * w_bytes, k, K - k));
        }
      }
    }
    QUERN_UNROLL for (int r = 0; r < R; ++r) {
      QUERN_UNROLL for (int c = 0; c < C; ++c) y[r * stride + c] = S::sum(acc[r][c]);
    }
  }

  static void multiply(const void* rows, int64_t M, const Matrix& w, int64_t n0, int64_t N, const Epilogue& e, float* y,
                       int64_t stride) noexcept {
    const size_t x_bytes = T::template row_bytes<S>(w.K), w_bytes = T::info.arrays[0].bytes(1, w.K);
    const char* x = static_cast<const char*>(rows);
    const char* weights = static_cast<const char*>(w.arrays[0]) + n0 * w_bytes;
    for_tiles<S::row_tile_cols>(N, [&]<int C>(int64_t n) {
      for_tiles<S::row_tile_rows>(M, [&]<int R>(int64_t m) {
        tile<R, C>(x + m * x_bytes, x_bytes, weights + n * w_bytes, w_bytes, w.K, y + m * stride + n, stride);
      });
    });
    Elementwise<S>::epilogue(y, M, N, stride, e);
  }
};

// What the three float types share: activations stay f32; D decodes S::lanes stored weights (Stored each) at a time.
template <class D>
struct FloatRows {
  static constexpr bool has_tail = true;
  template <class S>
  static constexpr int chunk = S::lanes;
  template <class S>
  using W = typename S::F;

  template <class S>  // as everything here: a template over S has internal linkage, since S has
  static size_t row_bytes(int64_t K) noexcept {
    return static_cast<size_t>(round_up(K * 4, 64));
  }
  template <class S>
  static void prepare(const float* x, const float* smooth, int64_t K, void* row) noexcept {
    float* out = static_cast<float*>(row);
    for (int64_t k = 0; k < K; ++k) out[k] = smooth ? x[k] * smooth[k] : x[k];
  }
  template <class S>
  static QUERN_INLINE typename S::F load_x(const char* x, int64_t k) {
    return S::load(reinterpret_cast<const float*>(x) + k);
  }
  template <class S>
  static QUERN_INLINE typename S::F load_w(const char* w, int64_t k) {
    return D::template decode_lanes<S>(reinterpret_cast<const typename D::Stored*>(w) + k);
  }
  template <class S>
  static QUERN_INLINE typename S::F load_tail_x(const char* x, int64_t k, int64_t n) {
    float lanes[S::lanes] = {};
    for (int64_t i = 0; i < n; ++i) lanes[i] = reinterpret_cast<const float*>(x)[k + i];
    return S::load(lanes);
  }
  template <class S>
  static QUERN_INLINE typename S::F load_tail_w(const char* w, int64_t k, int64_t n) {
    typename D::Stored lanes[S::lanes] = {};
    for (int64_t i = 0; i < n; ++i) lanes[i] = reinterpret_cast<const typename D::Stored*>(w)[k + i];
    return D::template decode_lanes<S>(lanes);
  }
  template <class S>
  static QUERN_INLINE void step(typename S::F& acc, typename S::F x, typename S::F w) {
    acc = S::fma(x, w, acc);
  }
  template <class S>
  static constexpr TypeKernels kernels() {
    return {row_bytes<S>, prepare<S>, RowKernels<S, D>::multiply, nullptr, nullptr};
  }
};

}  // namespace quern
