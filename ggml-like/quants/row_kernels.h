// Kernels of the float types (f32, f16, bf16): weights row-major as a file holds them, both operands contiguous along
// K, activations in f32. A tile keeps the sums of R × C results over 16 lanes, as Elementwise::sum16 has them, so that
// the order of summation is the same on every ISA. Included by ISA-flagged files only.
#pragma once
#include "isa/elementwise.h"
#include "kernels.h"
#include "quants/tiles.h"

namespace quern {

// D: Stored, what a weight is in memory, zero as 0; decode_lanes<S>(p): S::lanes of them.
template <class S, class D>
struct RowKernels {
  using F = typename S::F;
  using E = Elementwise<S>;
  using Stored = typename D::Stored;

  // Vectors take turns: each pass over K is for the lanes of one vector, so that a tile has as many accumulators as it
  // has results, and what the first pass has read is near for the others.
  template <int R, int C>
  static void tile(const float* x, int64_t x_stride, const Stored* w, int64_t K, float* y, int64_t stride) {
    const int64_t whole = K / 16 * 16, left = K - whole;
    alignas(64) float last_x[R * 16];  // what is left of K, padded with zeros
    alignas(64) Stored last_w[C * 16];
    if (left > 0) {
      for (int i = 0; i < R * 16; ++i) last_x[i] = i % 16 < left ? x[i / 16 * x_stride + whole + i % 16] : 0.0f;
      for (int i = 0; i < C * 16; ++i) last_w[i] = i % 16 < left ? w[i / 16 * K + whole + i % 16] : Stored{};
    }
    F sums[R][C][E::parts];
#pragma GCC unroll 1
    for (int p = 0; p < E::parts; ++p) {
      F acc[R][C];
      QUERN_UNROLL for (int r = 0; r < R; ++r) {
        QUERN_UNROLL for (int c = 0; c < C; ++c) acc[r][c] = S::zero();
      }
      const auto run = [&](const float* from, int64_t from_stride, const Stored* by, int64_t by_stride, int64_t n) {
        for (int64_t k = p * S::lanes; k < n; k += 16) {
          F weights[C];
          QUERN_UNROLL for (int c = 0; c < C; ++c) weights[c] = D::template decode_lanes<S>(by + c * by_stride + k);
          QUERN_UNROLL for (int r = 0; r < R; ++r) {
            const F values = S::load(from + r * from_stride + k);
            QUERN_UNROLL for (int c = 0; c < C; ++c) acc[r][c] = S::fma(values, weights[c], acc[r][c]);
          }
        }
      };
      run(x, x_stride, w, K, whole);
      if (left > 0) run(last_x, 16, last_w, 16, 16);
      QUERN_UNROLL for (int r = 0; r < R; ++r) {
        QUERN_UNROLL for (int c = 0; c < C; ++c) sums[r][c][p] = acc[r][c];
      }
    }
    for (int r = 0; r < R; ++r)
      for (int c = 0; c < C; ++c) y[r * stride + c] = E::fold(sums[r][c]);
  }

  static size_t row_bytes(int64_t K) noexcept {
    return static_cast<size_t>(round_up(K * 4, 64));
  }

  static void prepare(const float* x, const float* smooth, int64_t K, void* row) noexcept {
    float* out = static_cast<float*>(row);
    for (int64_t k = 0; k < K; ++k) out[k] = smooth ? x[k] * smooth[k] : x[k];
  }

  static void multiply(const void* rows, int64_t M, const Matrix& w, int64_t n0, int64_t N, const Epilogue& e, float* y,
                       int64_t stride, void*) noexcept {
    const int64_t x_stride = static_cast<int64_t>(row_bytes(w.K) / sizeof(float));
    const float* const first = static_cast<const float*>(rows);
    const Stored* const weights = static_cast<const Stored*>(w.arrays[0]) + n0 * w.K;
    for_tiles<S::row_tile_cols>(N, [&]<int C>(int64_t n) {
      for_tiles<S::row_tile_rows>(M, [&]<int R>(int64_t m) {
        tile<R, C>(first + m * x_stride, x_stride, weights + n * w.K, w.K, y + m * stride + n, stride);
      });
    });
    Elementwise<S>::epilogue(y, M, N, stride, e);
  }
};

template <class D>
struct FloatRows {
  template <class S>
  static constexpr TypeKernels kernels() {
    using K = RowKernels<S, D>;
    return {K::row_bytes, K::prepare, K::multiply, nullptr, nullptr};
  }
};

}  // namespace quern
