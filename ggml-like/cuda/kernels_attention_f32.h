// Attention in f32, the host's bits: each score is a chain over the head's values, each sum of weights runs over 16
// lanes, each result is a chain over the keys. Weights are exp(score - top) of the largest score of all, so that the
// keys are looked at twice.
#pragma once
#include "cuda/kernels_floats.h"

namespace quern {
namespace cuda {

// Keys that a query sees: [first, last).
struct SeenKeys {
  int64_t first, last;
};
QUERN_GPU SeenKeys keys_seen(const AttentionArguments& a, int64_t L, int64_t query) {
  return {query > a.before ? query - a.before : 0, L - query > a.after + 1 ? query + a.after + 1 : L};
}

template <int width>
struct F32Attention {
  using P = AttendF32<width>;
  static constexpr int rows = 2, cols = 4;  // scores of a thread: of neighbouring queries, of keys 8 apart
  static constexpr int out_rows = width / 16, lanes_of_row = width / 4;  // results of a thread: so many by 4

  const P& a;
  const int64_t first_row, L, head;  // of the text
  const int64_t m0;                  // the block's first query
  const int64_t M;                   // its queries
  float *q, *keys, *weights, *totals;

  QUERN_GPU F32Attention make(const P& a, char* shared) {
    const QueryBlock block = a.blocks[block_x()];
    const TextRange text = a.texts[block.text];
    const int64_t left = text.length - block.first;
    float* const at = reinterpret_cast<float*>(shared);
    float* const keys = at + P::queries * P::row_stride;
    float* const weights = keys + P::keys * P::row_stride;
    return {a,           text.first,
            text.length, block_y(),
            block.first, left < P::queries ? left : P::queries,
            at,          keys,
            weights,     weights + P::queries * (P::keys + 1)};
  }

  // Rows [first, first + n) of one head of x, zeros beyond them and beyond d.
  QUERN_GPU void load(const F32Attention& s, const float* x, int64_t head, int64_t first, int64_t n, float* to) {
    const float* const from = x + (s.first_row + first) * s.a.stride + head * s.a.d;
    for (int i = thread(); i < 32 * width; i += P::threads) {
      const int row = i / width, col = i % width;
      to[row * P::row_stride + col] = row < n && col < s.a.d ? from[row * s.a.stride + col] : 0.0f;
    }
  }

  // Level of query `row` and key j before the largest is taken off.
  QUERN_GPU float level(const F32Attention& s, float score, int64_t row, int64_t j) {
    if (!s.a.bias && s.a.softcap == 0) return score;
    float v = score * s.a.scale;
    if (s.a.softcap > 0) v = Lane::capped(v, s.a.softcap);
    return s.a.bias ? v + s.a.bias[s.head * s.a.bias_stride + j - row] : v;
  }

  // f(query, key, level) for this thread's pairs of the keys from j0 on that are in shared memory and are seen.
  template <class F>
  QUERN_GPU void scores(const F32Attention& s, int64_t j0, const F& f) {
    const int row0 = thread() / 8 * rows, col0 = thread() % 8;
    float sums[rows][cols] = {};
    for (int k = 0; k < width; k += 4) {
      FourFloats of_q[rows];
      QUERN_UNROLL for (int r = 0; r < rows; ++r) of_q[r] = load_four(s.q + (row0 + r) * P::row_stride + k);
      QUERN_UNROLL for (int c = 0; c < cols; ++c) {
        const FourFloats of_k = load_four(s.keys + (col0 + 8 * c) * P::row_stride + k);
        QUERN_UNROLL for (int r = 0; r < rows; ++r) {
          QUERN_UNROLL for (int i = 0; i < 4; ++i) sums[r][c] = fused(of_q[r].v[i], of_k.v[i], sums[r][c]);
        }
      }
    }
    QUERN_UNROLL for (int r = 0; r < rows; ++r) {
      const int64_t row = s.m0 + row0 + r;
      const SeenKeys seen = keys_seen(s.a, s.L, row);
      QUERN_UNROLL for (int c = 0; c < cols; ++c) {
        const int64_t j = j0 + col0 + 8 * c;
        const bool sees = row0 + r < s.M && j >= seen.first && j < seen.last;
        f(row0 + r, col0 + 8 * c, sees, sees ? level(s, sums[r][c], row, j) : 0.0f);
      }
    }
  }

  // Onto the results of this thread, key after key.
  QUERN_GPU void weigh(const F32Attention& s, float (&out)[out_rows][4]) {
    const int col = thread() % lanes_of_row * 4, row0 = thread() / lanes_of_row * out_rows;
    for (int j = 0; j < P::keys; ++j) {
      const FourFloats v = load_four(s.keys + j * P::row_stride + col);
      QUERN_UNROLL for (int r = 0; r < out_rows; ++r) {
        const float weight = s.weights[(row0 + r) * (P::keys + 1) + j];
        QUERN_UNROLL for (int i = 0; i < 4; ++i) out[r][i] = fused(weight, v.v[i], out[r][i]);
      }
    }
  }
};

template <int width>
QUERN_GPU void compute(const AttendF32<width>& a) {
  using P = AttendF32<width>;
  using At = F32Attention<width>;
  const At s = At::make(a, shared_memory());
  const int64_t kv_head = s.head / (a.heads / a.kv_heads);
  const int64_t begin = keys_seen(a, s.L, s.m0).first / P::keys * P::keys, end = keys_seen(a, s.L, s.m0 + s.M - 1).last;
  At::load(s, a.q, s.head, s.m0, s.M, s.q);
  const auto load_keys = [&](const float* x, int64_t j) { At::load(s, x, kv_head, j, s.L - j, s.keys); };

  // The largest level of each of this thread's two queries, then of the eight threads that share them.
  float tops[At::rows] = {-3.4e38f, -3.4e38f};
  const int row0 = thread() / 8 * At::rows;
  for (int64_t j = begin; j < end; j += P::keys) {
    load_keys(a.k, j);
    sync_block();
    At::scores(s, j, [&](int row, int, bool sees, float v) {
      if (sees && v > tops[row - row0]) tops[row - row0] = v;
    });
    sync_block();
  }
  QUERN_UNROLL for (int r = 0; r < At::rows; ++r) {
    QUERN_UNROLL for (int mask = 1; mask < 8; mask *= 2) {
      const float other = shuffle_xor(tops[r], mask);
      tops[r] = other > tops[r] ? other : tops[r];
    }
  }

  // Thread t: lane t mod 16 of the sums of queries t / 16 + 8 i.
  const float unit = !a.bias && a.softcap == 0 ? a.scale : 1.0f;
  float totals[P::queries / 8] = {};
  float out[At::out_rows][4] = {};
  for (int64_t j = begin; j < end; j += P::keys) {
    load_keys(a.k, j);
    sync_block();
    At::scores(s, j, [&](int row, int key, bool sees, float v) {
      s.weights[row * (P::keys + 1) + key] = sees ? Lane::exp((v - tops[row - row0]) * unit) : 0.0f;
    });
    sync_block();
    load_keys(a.v, j);
    QUERN_UNROLL for (int i = 0; i < P::queries / 8; ++i) {
      const float* const row = s.weights + (thread() / 16 + 8 * i) * (P::keys + 1);
      QUERN_UNROLL for (int c = 0; c < P::keys; c += 16) totals[i] = totals[i] + row[c + thread() % 16];
    }
    sync_block();
    At::weigh(s, out);
    sync_block();
  }
  QUERN_UNROLL for (int i = 0; i < P::queries / 8; ++i) {
    const float total = fold16(totals[i]);
    if (thread() % 16 == 0) s.totals[thread() / 16 + 8 * i] = total;
  }
  sync_block();
  const int col = thread() % At::lanes_of_row * 4, first = thread() / At::lanes_of_row * At::out_rows;
  QUERN_UNROLL for (int r = 0; r < At::out_rows; ++r) {
    float* const to = a.out + (s.first_row + s.m0 + first + r) * a.out_stride + s.head * a.d;
    QUERN_UNROLL for (int i = 0; i < 4; ++i) {
      if (first + r < s.M && col + i < a.d) to[col + i] = out[r][i] / s.totals[first + r];
    }
  }
}

}  // namespace cuda
}  // namespace quern
