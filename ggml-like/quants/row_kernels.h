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

  template <int R, int C>
  static void tile(const float* x, int64_t x_stride, const Stored* w, int64_t K, float* y, int64_t stride) {
    F acc[R][C][E::parts];
    QUERN_UNROLL for (int r = 0; r < R; ++r) {
      QUERN_UNROLL for (int c = 0; c < C; ++c) {
        QUERN_UNROLL for (int p = 0; p < E::parts; ++p) acc[r][c][p] = S::zero();
      }
    }
    alignas(64) float last_x[R * 16];  // what is left of K, padded with zeros
    alignas(64) Stored last_w[C * 16];
    int64_t n = K / 16 * 16, w_stride = K;
    for (const int64_t left = K - n;;) {
      for (int64_t k = 0; k < n; k += 16) {
        QUERN_UNROLL for (int p = 0; p < E::parts; ++p) {
          F weights[C];
          QUERN_UNROLL for (int c = 0; c < C; ++c) weights[c] =
              D::template decode_lanes<S>(w + c * w_stride + k + p * S::lanes);
          QUERN_UNROLL for (int r = 0; r < R; ++r) {
            const F values = S::load(x + r * x_stride + k + p * S::lanes);
            QUERN_UNROLL for (int c = 0; c < C; ++c) acc[r][c][p] = S::fma(values, weights[c], acc[r][c][p]);
          }
        }
      }
      if (left == 0 || w == last_w) break;
      for (int i = 0; i < R * 16; ++i) last_x[i] = i % 16 < left ? x[i / 16 * x_stride + n + i % 16] : 0.0f;
      for (int i = 0; i < C * 16; ++i) last_w[i] = i % 16 < left ? w[i / 16 * K + n + i % 16] : Stored{};
      x = last_x, x_stride = 16;
      w = last_w, w_stride = 16;
      n = 16;
    }
    QUERN_UNROLL for (int r = 0; r < R; ++r) {
      QUERN_UNROLL for (int c = 0; c < C; ++c) y[r * stride + c] = E::fold(acc[r][c]);
    }
  }

  static size_t row_bytes(int64_t K) noexcept { return static_cast<size_t>(round_up(K * 4, 64)); }

  static void prepare(const float* x, const float* smooth, int64_t K, void* row) noexcept {
    float* out = static_cast<float*>(row);
    for (int64_t k = 0; k < K; ++k) out[k] = smooth ? x[k] * smooth[k] : x[k];
  }

  static void multiply(const void* rows, int64_t M, const Matrix& w, int64_t n0, int64_t N, const Epilogue& e, float* y,
                       int64_t stride) noexcept {
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
