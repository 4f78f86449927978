// q8's products from ShortSums. Included by ISA-flagged files only.
//
// The vocabulary offers: A8 bytes8(p): four activations u8 for every output · W8 load_bytes8(p) · I pairs16(a, w):
// products u8 · s8 added up in pairs, int16 · add16 · add_pairs(acc, sums): those added up in pairs to int32 ·
// overflows · transpose8, interleave4.
#pragma once
#include "quants/q8/q8.h"
#include "quants/q8/short_sums.h"

namespace quern {

template <class S>
struct ShortProduct {
  using I = typename S::I;
  static constexpr int kFew = 2;                                          // rows that wait for weights
  static constexpr int kVectors = 16 / S::lanes, kBytes = 64 / kVectors;  // of a step: registers, bytes of one

  // Rows of a block: as they were prepared, widened to int16, and for each extra step of a panel kRows times four of
  // their activations.
  struct Block {
    const char* rows;
    size_t row_bytes;
    const int16_t* widened;
    int64_t widened_stride;
    const uint8_t* gathered;
    const uint8_t* row(int64_t m) const {
      return reinterpret_cast<const uint8_t*>(rows + static_cast<size_t>(m) * row_bytes + sizeof(Q8::Header));
    }
  };

  static size_t scratch_bytes(const Matrix& w) noexcept {
    if (!w.adopted) return 0;
    const ShortSums& sums = *static_cast<const ShortSums*>(w.adopted);
    return static_cast<size_t>(sums.by_k_bytes(w.K) + sums.gathered_bytes() + sums.widened_bytes());
  }

  // Adds up `steps` steps, of which each chain / 2 are summed in int16: activations of row r stand at a[r], a_step
  // further for each step.
  template <int R, int chain>
  static QUERN_INLINE void add_steps(I (&acc)[R][kVectors], const uint8_t* const (&a)[R], int64_t a_step,
                                     const int8_t* w, int64_t steps) {
    constexpr int together = chain / 2;
    for (int64_t s = 0; s < steps; s += together, w += together * ShortSums::kStep) {
      if constexpr (R <= kFew) prefetch_ahead<S>(w, together * ShortSums::kStep);
      QUERN_UNROLL for (int r = 0; r < R; ++r) {
        typename S::A8 u[together];
        QUERN_UNROLL for (int i = 0; i < together; ++i) u[i] = S::bytes8(a[r] + (s + i) * a_step);
        QUERN_UNROLL for (int v = 0; v < kVectors; ++v) {
          I sum = S::pairs16(u[0], S::load_bytes8(w + v * kBytes));
          QUERN_UNROLL for (int i = 1; i < together; ++i) sum =
              S::add16(sum, S::pairs16(u[i], S::load_bytes8(w + i * ShortSums::kStep + v * kBytes)));
          S::add_pairs(acc[r][v], sum);
        }
      }
    }
  }

  template <int R>
  static QUERN_INLINE void add_widened(I (&acc)[R][kVectors], const int16_t* a, int64_t stride, const int8_t* w,
                                       int64_t steps) {
    for (int64_t s = 0; s < 2 * steps; ++s, w += ShortSums::kStep / 2) {
      typename S::W8 values[kVectors];
      QUERN_UNROLL for (int v = 0; v < kVectors; ++v) values[v] = S::load_w8(w + v * kBytes / 2);
      QUERN_UNROLL for (int r = 0; r < R; ++r) {
        const auto two = S::broadcast_i32(reinterpret_cast<const int32_t*>(a + r * stride) + s);
        QUERN_UNROLL for (int v = 0; v < kVectors; ++v) acc[r][v] = S::dot16(acc[r][v], two, values[v]);
      }
    }
  }

  template <int R, int chain>
  static QUERN_INLINE void tile(I (&acc)[R][kVectors], const Block& block, int64_t m, const ShortSums& sums,
                                const ShortSums::Panel& panel) {
    QUERN_UNROLL for (int r = 0; r < R; ++r) {
      QUERN_UNROLL for (int v = 0; v < kVectors; ++v) acc[r][v] = S::set1_i32(0);
    }
    const uint8_t* a[R];
    if constexpr (chain == 1) {
      add_widened<R>(acc, block.widened + m * block.widened_stride, block.widened_stride, panel.weights, sums.steps);
    } else {
      QUERN_UNROLL for (int r = 0; r < R; ++r) a[r] = block.row(m + r);
      add_steps<R, chain>(acc, a, 4, panel.weights, sums.steps);
      QUERN_UNROLL for (int r = 0; r < R; ++r) a[r] = block.gathered + (m + r) * 4;
      add_steps<R, 2>(acc, a, 4 * ShortSums::kRows, panel.extra, panel.n_extra);
    }
  }

  // The activations of M rows that the panel's extra steps want. by_k: activations of up to kRows rows by k, or null.
  static QUERN_INLINE void gather(const Block& block, int64_t M, const uint8_t* by_k, const ShortSums::Panel& panel,
                                  uint8_t* out) {
    const uint16_t* k = panel.k;
    for (int64_t i = 0; i < panel.n_extra; ++i, k += 4, out += 4 * ShortSums::kRows) {
      if (by_k) {
        for (int64_t m = 0; m < M; m += 8)
          S::interleave4(by_k + k[0] * ShortSums::kRows + m, by_k + k[1] * ShortSums::kRows + m,
                         by_k + k[2] * ShortSums::kRows + m, by_k + k[3] * ShortSums::kRows + m, out + 4 * m);
      } else {
        for (int64_t m = 0; m < M; ++m) {
          const uint8_t* row = block.row(m);
          QUERN_UNROLL for (int j = 0; j < 4; ++j) out[4 * m + j] = row[k[j]];
        }
      }
    }
  }

  template <int rows, int chain>
  static QUERN_INLINE void panel_rows(const Block& block, int64_t M, const Matrix& w, const ShortSums::Panel& panel,
                                      int64_t n, int64_t valid, const Q8::Ending& e, float* y, int64_t stride) {
    const ShortSums& sums = *static_cast<const ShortSums*>(w.adopted);
    for_tiles<rows>(M, [&]<int R>(int64_t m) {
      I acc[R][kVectors];
      tile<R, chain>(acc, block, m, sums, panel);
      Q8::end_tile<S, R, kVectors>(acc, block.rows + static_cast<size_t>(m) * block.row_bytes, block.row_bytes, w, n,
                                   valid, e, m, y, stride);
    });
  }

  // Rows of one block times the panels of outputs [n0, n0 + N).
  static void block_panels(const Block& block, int64_t M, const uint8_t* by_k, uint8_t* gathered, const Matrix& w,
                           int64_t n0, int64_t N, const Q8::Ending& e, float* y, int64_t stride) {
    const ShortSums& sums = *static_cast<const ShortSums*>(w.adopted);
    for (int64_t n = 0; n < N; n += 16) {
      const ShortSums::Panel& panel = sums.panels[(n0 + n) / 16];
      const int64_t valid = N - n < 16 ? N - n : 16;
      const Q8::Ending rest = e.from_column<S>(n);
      gather(block, M, by_k, panel, gathered);
      if (panel.chain == 4)
        panel_rows<4, 4>(block, M, w, panel, n0 + n, valid, rest, y + n, stride);
      else if (panel.chain == 2)
        panel_rows<6, 2>(block, M, w, panel, n0 + n, valid, rest, y + n, stride);
      else
        panel_rows<6, 1>(block, M, w, panel, n0 + n, valid, rest, y + n, stride);
    }
  }

  static void multiply(const char* rows, size_t row_bytes, int64_t M, const Matrix& w, int64_t n0, int64_t N,
                       const Q8::Ending& e, float* y, int64_t stride, char* scratch) {
    const ShortSums& sums = *static_cast<const ShortSums*>(w.adopted);
    uint8_t* const by_k = reinterpret_cast<uint8_t*>(scratch);
    uint8_t* const gathered = by_k + sums.by_k_bytes(w.K);
    int16_t* const widened = reinterpret_cast<int16_t*>(gathered + sums.gathered_bytes());
    for (int64_t m0 = 0; m0 < M; m0 += ShortSums::kRows) {
      const int64_t block_rows = M - m0 < ShortSums::kRows ? M - m0 : ShortSums::kRows;
      const Block block{rows + static_cast<size_t>(m0) * row_bytes, row_bytes, widened, 4 * sums.steps, gathered};
      const bool many = sums.most_extra > 0 && block_rows >= 4;  // worth ordering by k
      for (int64_t m = 0; many && m < block_rows; m += 8) {
        const uint8_t* eight[8];
        for (int64_t i = 0; i < 8; ++i) eight[i] = block.row(m + i < block_rows ? m + i : block_rows - 1);
        S::transpose8(eight, w.K, by_k + m, ShortSums::kRows);
      }
      for (int64_t m = 0; sums.any_wide && m < block_rows; ++m)
        for (int64_t k = 0; k < 4 * sums.steps; ++k) widened[m * 4 * sums.steps + k] = block.row(m)[k];
      const Q8::Ending rest{from_row<S>(e.rest, m0), e.onto};
      block_panels(block, block_rows, many ? by_k : nullptr, gathered, w, n0, N, rest, y + m0 * stride, stride);
    }
  }
};

}  // namespace quern
