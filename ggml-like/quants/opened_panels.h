// Products of many rows by panels of packed codes, where an ISA has no four-way dot product (not S::wide4). There a
// code and a row take two instructions, and unpacking the codes again for every few rows, as registers want it, half of
// one more. So the codes of 32 k × 16 outputs (a group) are opened once for a block of rows, into L1, where the block's
// results so far lie too: adding to them takes a load and a store for some twenty instructions of arithmetic, and all
// registers are left to integer sums. Included by ISA-flagged files only.
#pragma once
#include "isa/finish.h"
#include "kernels.h"
#include "quants/tiles.h"

namespace quern {

// Codes of a group, as the products take them: quad q (k = 4q … 4q + 3) of piece p.
template <class W, int P>
struct OpenedCodes {
  W codes[8][P];
  template <int q>
  QUERN_INLINE W get(int p) const {
    return codes[q][p];
  }
};

// T offers
//   Opened<S>                              a group: its codes, and scales as floats
//   open<S>(w, n, g, opened)               group g of the panel that output n begins
//   add_group<S, R>(opened, x, K, g, acc)  its products with R rows
//   end<S, R, P>(acc, x, w, n, valid, e, m, y, stride)
// where x: R prepared rows. Sums run over groups in order, as everywhere.
template <class S, class T>
struct OpenedPanels {
  static constexpr int P = 16 / S::lanes;    // registers of a panel's outputs
  static constexpr int tile_rows = 4;        // 8 sums, 2 registers of codes and a broadcast, of 16
  static constexpr int64_t block_rows = 48;  // whose results take 3 KB

  static void panel(const char* x, size_t x_bytes, int64_t M, const Matrix& w, int64_t n, int64_t valid,
                    const Epilogue& e, float* y, int64_t stride) {
    typename S::F acc[block_rows][P];
    for (int64_t m = 0; m < M; ++m) {
      QUERN_UNROLL for (int p = 0; p < P; ++p) acc[m][p] = S::zero();
    }
    typename T::template Opened<S> opened;
    const int64_t K = w.K;  // which stores of vectors might change otherwise, for all that the compiler knows
    for (int64_t g = 0; g < K / 32; ++g) {
      T::template open<S>(w, n, g, opened);
      for_tiles<tile_rows>(M, [&]<int R>(int64_t m) QUERN_INLINED {
        T::template add_group<S, R>(opened, x + m * x_bytes, K, g, acc + m);
      });
    }
    for_tiles<tile_rows>(M, [&]<int R>(int64_t m) {
      typename S::F tile[R][P];
      QUERN_UNROLL for (int r = 0; r < R; ++r) {
        QUERN_UNROLL for (int p = 0; p < P; ++p) tile[r][p] = acc[m + r][p];
      }
      T::template end<S, R, P>(tile, x + m * x_bytes, w, n, valid, e, m, y, stride);
    });
  }

  static void multiply(const char* rows, int64_t M, const Matrix& w, int64_t n0, int64_t N, const Epilogue& e, float* y,
                       int64_t stride) {
    const size_t x_bytes = T::template row_bytes<S>(w.K);
    for (int64_t m = 0; m < M; m += block_rows) {
      const Epilogue rest = from_row<S>(e, m);
      for (int64_t n = 0; n < N; n += 16)
        panel(rows + m * x_bytes, x_bytes, M - m < block_rows ? M - m : block_rows, w, n0 + n, N - n < 16 ? N - n : 16,
              from_column<S>(rest, n), y + m * stride + n, stride);
    }
  }
};

}  // namespace quern
