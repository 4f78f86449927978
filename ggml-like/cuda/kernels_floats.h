// Products with f32, f16 and bf16 weights. Each result is a sum over 16 lanes, as Elementwise::sum16 has it: term k
// goes to lane k mod 16. Four threads share 8 × 4 results, four lanes each, so that what they read from shared memory
// are whole float4's, each of which meets four or eight others.
#pragma once
#include "cuda/kernel_list.h"
#include "cuda/kernels_q8.h"

namespace quern {
namespace cuda {

struct FourFloats {
  float v[4];
};
QUERN_GPU FourFloats load_four(const float* p) {
#if defined(__CUDACC__)
  const float4 v = *reinterpret_cast<const float4*>(p);
  return {{v.x, v.y, v.z, v.w}};
#else
  return {{p[0], p[1], p[2], p[3]}};
#endif
}

template <TableValues values>
struct FloatTiles {
  using P = FloatProduct<values>;
  static constexpr int rows = 8, cols = 4;

  // `depth` values from k on of the tile's activations, then of its weights; zeros beyond the ends.
  QUERN_GPU void load(const P& a, float* tile, int64_t m0, int64_t n0, int64_t k0) {
    const int64_t K = a.x.cols, i = thread() % P::depth, k = k0 + i;
    for (int64_t row = thread() / P::depth; row < P::rows + P::cols; row += P::threads / P::depth) {
      float v = 0.0f;
      if (row < P::rows) {
        if (m0 + row < a.x.rows && k < K) v = row_of(a.x, m0 + row)[k] * (a.smooth ? a.smooth[k] : 1.0f);
      } else if (const int64_t n = n0 + row - P::rows; n < a.N && k < K) {
        v = value_at<values>(a.w, n * K + k);
      }
      tile[row * P::row_stride + i] = v;
    }
  }
};

template <TableValues values>
QUERN_GPU void compute(const FloatProduct<values>& a) {
  using P = FloatProduct<values>;
  using Tiles = FloatTiles<values>;
  constexpr int rows = Tiles::rows, cols = Tiles::cols, across = P::cols / cols;
  float* const tile = reinterpret_cast<float*>(shared_memory());
  const int64_t m0 = block_y() * P::rows, n0 = block_x() * P::cols;
  const int part = thread() & 3, group = thread() >> 2;  // lanes 4 · part … 4 · part + 3
  const int row0 = group / across * rows, col0 = group % across * cols;
  float sums[rows][cols][4];
  QUERN_UNROLL for (int r = 0; r < rows; ++r) {
    QUERN_UNROLL for (int c = 0; c < cols; ++c) {
      QUERN_UNROLL for (int i = 0; i < 4; ++i) sums[r][c][i] = 0.0f;
    }
  }
  for (int64_t k = 0; k < a.x.cols; k += P::depth) {
    Tiles::load(a, tile, m0, n0, k);
    sync_block();
    QUERN_UNROLL for (int step = 0; step < P::depth; step += 16) {
      FourFloats w[cols];
      QUERN_UNROLL for (int c = 0; c < cols; ++c) w[c] =
          load_four(tile + (P::rows + col0 + c) * P::row_stride + step + 4 * part);
      QUERN_UNROLL for (int r = 0; r < rows; ++r) {
        const FourFloats x = load_four(tile + (row0 + r) * P::row_stride + step + 4 * part);
        QUERN_UNROLL for (int c = 0; c < cols; ++c) {
          QUERN_UNROLL for (int i = 0; i < 4; ++i) sums[r][c][i] = fused(x.v[i], w[c].v[i], sums[r][c][i]);
        }
      }
    }
    sync_block();
  }
  // Lanes 0 with 8 and 4 with 12 are those of the thread two further; the next four those of its neighbour.
  QUERN_UNROLL for (int r = 0; r < rows; ++r) {
    QUERN_UNROLL for (int c = 0; c < cols; ++c) {
      QUERN_UNROLL for (int i = 0; i < 4; ++i) {
        sums[r][c][i] = sums[r][c][i] + shuffle_xor(sums[r][c][i], 2);
        sums[r][c][i] = sums[r][c][i] + shuffle_xor(sums[r][c][i], 1);
      }
      const float v = (sums[r][c][0] + sums[r][c][2]) + (sums[r][c][1] + sums[r][c][3]);
      const int64_t m = m0 + row0 + r, n = n0 + col0 + c;
      if (c == part && m < a.x.rows && n < a.N)
        a.y[m * a.y_stride + n] = ended(a.end, m, n, a.end.bias ? v + a.end.bias[n] : v);
    }
  }
}

}  // namespace cuda
}  // namespace quern
