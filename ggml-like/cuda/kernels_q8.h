// q8 and q8_g256: activations to codes, weights to rows, and the product by mma of signed bytes. Integer sums are
// exact, and what follows is the host's sequence of operations (quants/q8/q8.h), so results are the host's to the bit.
#pragma once
#include "cuda/kernel_list.h"
#include "cuda/kernels_rows.h"

namespace quern {
namespace cuda {

template <class F>
QUERN_GPU float over_warp(float v, const F& f) {
  for (int mask = 16; mask > 0; mask /= 2) v = f(v, shuffle_xor(v, mask));
  return v;
}

// One warp: a row's group. Codes are stored four at a time.
QUERN_GPU void compute(const EncodeRows& a) {
  const int64_t row = block_x() * EncodeRows::rows + warp(), K = a.x.cols;
  if (row >= a.x.rows) return;
  const int64_t g = block_y(), first = g * a.group, end = first + a.group < K ? first + a.group : K;
  const float* const x = row_of(a.x, row);
  const auto value = [&](int64_t k) { return a.smooth ? x[k] * a.smooth[k] : x[k]; };
  float low = 0.0f, high = 0.0f;
  QUERN_UNROLL_SOME for (int64_t k = first + lane(); k < end; k += 32) {
    const float v = value(k);
    low = v < low ? v : low;
    high = v > high ? v : high;
  }
  low = over_warp(low, [](float p, float q) { return q < p ? q : p; });
  high = over_warp(high, [](float p, float q) { return q > p ? q : p; });
  const float scale = (high - low) / 255.0f, inverse = scale > 0 ? 1.0f / scale : 0.0f;
  const int32_t zero = to_i32(-low * inverse);
  const auto code = [&](int64_t k) {
    const int32_t u = GpuLane::add_i32(to_i32(value(k) * inverse), zero);
    return static_cast<uint32_t>((u < 0 ? 0 : u > 255 ? 255 : u) - 128) & 0xffu;
  };
  // The last group's zeros too.
  const int64_t stop = g == a.groups - 1 ? a.stride : end;
  uint32_t* const codes = reinterpret_cast<uint32_t*>(a.codes + row * a.stride);
  for (int64_t k = first + 4 * lane(); k < stop; k += 128) {
    uint32_t four = 0;
    QUERN_UNROLL for (int i = 0; i < 4; ++i) {
      if (k + i < end) four |= code(k + i) << (8 * i);
    }
    codes[k / 4] = four;
  }
  if (lane() == 0) {
    a.scales[row * a.groups + g] = scale;
    a.shifts[row * a.groups + g] = zero - 128;
  }
}

// A block: 16 outputs. Words of four k; the panel is read in order, which is all of its lines, and written along rows.
QUERN_GPU void compute(const LayPanels& a) {
  constexpr int64_t steps = LayPanels::threads / 16;  // words of each row that are moved at a time
  const int64_t panel = a.panel + block_x(), words = a.padded / 4;
  const uint32_t* const from = reinterpret_cast<const uint32_t*>(a.panels + block_x() * 16 * a.padded);
  uint32_t* const moved = reinterpret_cast<uint32_t*>(shared_memory());  // (16, steps + 1)
  for (int64_t first = 0; first < words; first += steps) {
    const int64_t at = first * 16 + thread();
    if (at < words * 16) moved[thread() % 16 * (steps + 1) + thread() / 16] = from[at];
    sync_block();
    const int64_t output = thread() / steps, word = first + thread() % steps;
    if (word < words)
      reinterpret_cast<uint32_t*>(a.rows + (panel * 16 + output) * a.stride + a.first)[word] =
          moved[output * (steps + 1) + thread() % steps];
    sync_block();
  }
}

// A tile of 64 bytes of each row, 16 bytes at a time; these change places so that neither copies nor ldmatrix meet in a
// bank.
QUERN_GPU int tile_place(int row, int chunk) {
  return row * 64 + ((chunk ^ ((row >> 1) & 3)) << 4);
}

template <class P>
struct Q8Tiles {
  static constexpr int rows = P::rows / P::warp_rows / 16, cols = P::cols / P::warp_cols / 8;  // of mma's, of a warp
  static_assert(cols % 2 == 0, "weights are loaded for two columns of tiles");
  int32_t sums[rows][cols][4];

  QUERN_GPU void load(const P& a, char* to, int64_t m0, int64_t n0, int64_t k) {
    constexpr int chunks = P::depth / 16;
    QUERN_UNROLL for (int i = 0; i < (P::rows + P::cols) * chunks; i += P::threads) {
      const int id = i + thread(), row = id / chunks, chunk = id % chunks;
      const bool of_x = row < P::rows;
      const int64_t at = of_x ? m0 + row : n0 + row - P::rows;
      const int8_t* const from = of_x ? a.x.codes : a.w.codes;
      const bool there = at < (of_x ? a.M : a.padded_N);
      load_async16(to + tile_place(row, chunk), from + (there ? at : 0) * a.stride + k + chunk * 16, there);
    }
    commit_async();
  }

  QUERN_GPU void clear(Q8Tiles& t) {
    QUERN_UNROLL for (int r = 0; r < rows; ++r) {
      QUERN_UNROLL for (int c = 0; c < cols; ++c) {
        QUERN_UNROLL for (int i = 0; i < 4; ++i) t.sums[r][c][i] = 0;
      }
    }
  }

  QUERN_GPU void multiply(Q8Tiles& t, const char* tile) {
    const int row0 = warp() % P::warp_rows * rows * 16, col0 = P::rows + warp() / P::warp_rows * cols * 8;
    QUERN_UNROLL for (int k = 0; k < P::depth / 32; ++k) {
      uint32_t x[rows][4], w[cols / 2][4];
      QUERN_UNROLL for (int r = 0; r < rows; ++r)
          load_matrix4(x[r], tile + tile_place(row0 + r * 16 + (lane() & 15), 2 * k + (lane() >> 4)));
      QUERN_UNROLL for (int c = 0; c < cols / 2; ++c) {
        const int row = col0 + c * 16 + (lane() & 7) + (lane() >> 4) * 8;
        load_matrix4(w[c], tile + tile_place(row, 2 * k + ((lane() >> 3) & 1)));
      }
      QUERN_UNROLL for (int r = 0; r < rows; ++r) {
        QUERN_UNROLL for (int c = 0; c < cols; ++c)
            mma_s8(t.sums[r][c], x[r], w[c / 2][c % 2 * 2], w[c / 2][c % 2 * 2 + 1]);
      }
    }
  }

  // f(row, column, its place in the thread's results) for the results of this thread that there are.
  template <class F>
  QUERN_GPU void for_results(const P& a, const F& f) {
    const int64_t m0 = block_y() * P::rows + warp() % P::warp_rows * rows * 16 + (lane() >> 2);
    const int64_t n0 = block_x() * P::cols + warp() / P::warp_rows * cols * 8 + (lane() & 3) * 2;
    QUERN_UNROLL for (int r = 0; r < rows; ++r) {
      QUERN_UNROLL for (int i = 0; i < 4; ++i) {
        const int64_t m = m0 + r * 16 + i / 2 * 8;
        QUERN_UNROLL for (int c = 0; c < cols; ++c) {
          const int64_t n = n0 + c * 8 + i % 2;
          if (m < a.M && n < a.N) f(m, n, r, c, i);
        }
      }
    }
  }
};

// What group g adds to a result: `before` is the bias, or the groups before.
QUERN_GPU float q8_scaled(const Q8ProductArguments& a, int64_t g, int64_t m, int64_t n, int32_t raw, float before) {
  const int64_t of_x = m * a.groups + g, of_w = g * a.padded_N + n;
  const int32_t sum = static_cast<int32_t>(static_cast<uint32_t>(raw) - static_cast<uint32_t>(a.x.shifts[of_x]) *
                                                                            static_cast<uint32_t>(a.w.shifts[of_w]));
  return fused(static_cast<float>(sum) * a.w.scales[of_w], a.x.scales[of_x], before);
}

QUERN_GPU float ended(const ProductEnd& end, int64_t m, int64_t n, float v) {
  v = activated(end.activation, v);
  return end.residual ? v + end.residual[m * end.residual_stride + n] : v;
}

template <int r, int c, int wr, int wc, bool g>
QUERN_GPU void compute(const Q8Product<r, c, wr, wc, g>& a) {
  using P = Q8Product<r, c, wr, wc, g>;
  using Tiles = Q8Tiles<P>;
  constexpr int bytes = (P::rows + P::cols) * P::depth;
  char* const tiles = shared_memory();
  const int64_t m0 = block_y() * P::rows, n0 = block_x() * P::cols;
  const int steps = static_cast<int>(a.stride / P::depth);
  Tiles t;
  float results[P::grouped ? Tiles::rows : 1][P::grouped ? Tiles::cols : 1][4] = {};
  Tiles::clear(t);
  QUERN_UNROLL for (int s = 0; s < P::stages - 1; ++s) {
    if (s < steps)
      Tiles::load(a, tiles + s * bytes, m0, n0, s * P::depth);
    else
      commit_async();
  }
  for (int s = 0; s < steps; ++s) {
    wait_async<P::stages - 2>();
    sync_block();
    const int next = s + P::stages - 1;
    if (next < steps)
      Tiles::load(a, tiles + next % P::stages * bytes, m0, n0, static_cast<int64_t>(next) * P::depth);
    else
      commit_async();
    Tiles::multiply(t, tiles + s % P::stages * bytes);
    if constexpr (P::grouped) {
      constexpr int steps_of_group = static_cast<int>(kQ8Group) / P::depth;
      const int64_t group = s / steps_of_group;
      if (s % steps_of_group == steps_of_group - 1 || s == steps - 1) {
        Tiles::for_results(a, [&](int64_t m, int64_t n, int i, int j, int k) {
          const float before = group > 0 ? results[i][j][k] : a.end.bias ? a.end.bias[n] : 0.0f;
          results[i][j][k] = q8_scaled(a, group, m, n, t.sums[i][j][k], before);
        });
        Tiles::clear(t);
      }
    }
  }
  Tiles::for_results(a, [&](int64_t m, int64_t n, int i, int j, int k) {
    float v;
    if constexpr (P::grouped)
      v = results[i][j][k];
    else
      v = q8_scaled(a, 0, m, n, t.sums[i][j][k], a.end.bias ? a.end.bias[n] : 0.0f);
    a.y[m * a.y_stride + n] = ended(a.end, m, n, v);
  });
}

}  // namespace cuda
}  // namespace quern
