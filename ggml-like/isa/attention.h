// Attention of one head over one text, in two precisions behind one contract (kernels.h). Written once for every ISA's
// vocabulary S. Included by ISA-flagged files only.
//
// f32: scores and sums as fused multiply-adds.
// i16: the head's queries and keys become integers of one scale each, |q| and |k| <= 32000 / sqrt(d), so that q·k stays
// below 2^30; V 12-bit integers scaled by each column's largest; probabilities 12-bit integers. Twice the rate of f32
// on x86, with errors of some 1e-4 where 8-bit activations have 1e-3. Two values share a lane: element i with i + d/2,
// key j with j + lanes.
//
// Queries go in blocks; a block meets only the keys that one of its queries sees, so a window of w keys costs w a query
// however long the text is.
#pragma once
#include "isa/elementwise.h"
#include "kernels.h"
#include "quants/tiles.h"

namespace quern {

// Hands out the pieces of a scratch buffer, 64-byte aligned; without a buffer it only counts.
struct ScratchCursor {
  char* base;
  size_t used = 0;
  template <class T>
  QUERN_INLINE T* take(int64_t n) {
    T* p = base ? reinterpret_cast<T*>(base + used) : nullptr;
    used += (static_cast<size_t>(n) * sizeof(T) + 63) & ~size_t{63};
    return p;
  }
};

constexpr int64_t kQueryBlock = 48;  // queries whose scores are held at a time

constexpr int64_t kKeyBlock = 32;  // where a block's keys start: of every ISA alike, so that sums are cut alike

// The keys that queries [m, m + M) see together, from a multiple of `align` on, and those that query i of them sees.
struct KeyRange {
  int64_t first, last;
};
template <class S>
QUERN_INLINE KeyRange keys_of_query(const AttentionHead& h, int64_t i) {
  return {i > h.before ? i - h.before : 0, h.L - i > h.after + 1 ? i + h.after + 1 : h.L};
}
template <class S>
QUERN_INLINE KeyRange keys_of_block(const AttentionHead& h, int64_t m, int64_t M, int64_t align) {
  return {keys_of_query<S>(h, m).first / align * align, keys_of_query<S>(h, m + M - 1).last};
}

template <class S>
struct AttentionF32 {
  struct Scratch {
    float *keys, *scores;  // (d, padded), (kQueryBlock, padded)
    size_t bytes;
  };
  static int64_t padded(int64_t L) { return round_up(L, 16); }
  static Scratch scratch(void* buffer, int64_t L, int64_t d) {
    ScratchCursor at{static_cast<char*>(buffer)};
    Scratch s{};
    s.keys = at.take<float>(d * padded(L));
    s.scores = at.take<float>(kQueryBlock * padded(L));
    s.bytes = at.used;
    return s;
  }
  static size_t scratch_bytes(int64_t L, int64_t d) noexcept { return scratch(nullptr, L, d).bytes; }

  // Query i's scores of the keys in `block` → weights, zero for keys that it does not see; returns their sum.
  static QUERN_INLINE float weights(const AttentionHead& h, int64_t i, const KeyRange& block, float* row) {
    const KeyRange seen = keys_of_query<S>(h, i);
    const int64_t first = seen.first - block.first, n = seen.last - seen.first, end = first + n;
    for (int64_t j = 0; j < first; ++j) row[j] = 0;
    for (int64_t j = end; j < block.last - block.first; ++j) row[j] = 0;
    if (!h.bias && h.softcap == 0) return Elementwise<S>::softmax(row + first, n, h.scale);
    const float* bias = h.bias ? h.bias + i * h.bias_stride + seen.first : nullptr;
    const auto scale = S::set1(h.scale);
    Elementwise<S>::map(row + first, row + first, n, 0.0f, [&](int64_t j, typename S::F v) {
      v = S::mul(v, scale);
      if (h.softcap > 0) v = Elementwise<S>::capped(v, h.softcap);
      return bias ? S::add(v, Elementwise<S>::load_some(bias, j, n)) : v;
    });
    return Elementwise<S>::softmax(row + first, n, 1.0f);
  }

  static void run(const AttentionHead& h, void* buffer) noexcept {
    const int64_t L = h.L, d = h.d, Lp = padded(L);
    const Scratch s = scratch(buffer, L, d);
    for (int64_t i = 0; i < d; ++i) {
      for (int64_t j = 0; j < L; ++j) s.keys[i * Lp + j] = h.k[j * h.stride + i];
      for (int64_t j = L; j < Lp; ++j) s.keys[i * Lp + j] = 0;
    }
    for (int64_t m = 0; m < L; m += kQueryBlock) {
      const int64_t M = L - m < kQueryBlock ? L - m : kQueryBlock;
      const KeyRange keys = keys_of_block<S>(h, m, M, 16);
      const int64_t n = keys.last - keys.first;
      Elementwise<S>::gemm(M, padded(n), d, h.q + m * h.stride, h.stride, s.keys + keys.first, Lp, s.scores, Lp);
      float sums[kQueryBlock];
      for (int64_t i = 0; i < M; ++i) sums[i] = weights(h, m + i, keys, s.scores + i * Lp);
      float* out = h.out + m * h.out_stride;
      Elementwise<S>::gemm(M, d, n, s.scores, Lp, h.v + keys.first * h.stride, h.stride, out, h.out_stride);
      for (int64_t i = 0; i < M; ++i)
        for (int64_t j = 0; j < d; ++j) out[i * h.out_stride + j] /= sums[i];
    }
  }
};

template <class S>
struct AttentionI16 {
  using F = typename S::F;
  using I = typename S::I;
  using E = Elementwise<S>;
  static constexpr int lanes = S::lanes, pair = 2 * S::lanes;
  static constexpr float kProbability = 4095, kValue = 2047, kLog2e = 1.44269504f;
  static constexpr int64_t kChunk = 128 / lanes * lanes;  // pairs of keys: 256 · 4095 · 2047 < 2^31

  struct Scratch {
    int32_t *keys, *values, *queries;  // pairs: (Lp / lanes, half, lanes), (Lp / 2, dp), (kQueryBlock, half_stride)
    int32_t* scores;                   // (kQueryBlock, Lp); probabilities take the front of each row
    float* value_scale;                // dp
    float *limits, *levels;            // Lp: of one query, where not all keys are seen or scores have a bias
    int64_t Lp, half, half_stride, dp;
    size_t bytes;
  };
  static Scratch scratch(void* buffer, int64_t L, int64_t d) {
    ScratchCursor at{static_cast<char*>(buffer)};
    Scratch s{};
    s.Lp = round_up(L, pair), s.half = (d + 1) / 2, s.half_stride = round_up(s.half, lanes), s.dp = round_up(d, lanes);
    s.keys = at.take<int32_t>(s.Lp * s.half);
    s.values = at.take<int32_t>(s.Lp / 2 * s.dp);
    s.queries = at.take<int32_t>(kQueryBlock * s.half_stride);
    s.scores = at.take<int32_t>(kQueryBlock * s.Lp);
    s.value_scale = at.take<float>(s.dp);
    s.limits = at.take<float>(s.Lp);
    s.levels = at.take<float>(s.Lp);
    s.bytes = at.used;
    return s;
  }
  static size_t scratch_bytes(int64_t L, int64_t d) noexcept { return scratch(nullptr, L, d).bytes; }

  // The largest magnitudes of columns i to i + lanes over L rows of d values.
  static QUERN_INLINE F column_peaks(const float* x, int64_t stride, int64_t L, int64_t d, int64_t i) {
    F top = S::zero();
    for (int64_t j = 0; j < L; ++j) {
      const F v = E::load_some(x + j * stride, i, d);
      top = S::max(top, S::max(v, S::sub(S::zero(), v)));
    }
    return top;
  }
  static QUERN_INLINE float peak(const float* x, int64_t stride, int64_t L, int64_t d) {
    F top = S::zero();
    for (int64_t i = 0; i < d; i += lanes) top = S::max(top, column_peaks(x, stride, L, d, i));
    return S::max_lane(top);
  }

  // x · factor as 16-bit pairs (i, i + half), `half` of them padded to whole vectors.
  static QUERN_INLINE void pairs_of(const float* x, int64_t d, int64_t half, float factor, int32_t* out) {
    const F scale = S::set1(factor);
    for (int64_t i = 0; i < half; i += lanes) {
      const I low = S::round_i32(S::mul(E::load_some(x, i, half), scale));
      const I high = S::round_i32(S::mul(E::load_some(x + half, i, d - half), scale));
      S::store_i32(S::pack16(low, high), out + i);
    }
  }

  static void pack_keys(const AttentionHead& h, const Scratch& s, float factor) {
    for (int64_t j = 0; j < s.Lp; ++j) {
      int32_t* to = s.keys + j / lanes * s.half * lanes + j % lanes;
      int32_t* const row = s.queries;  // not yet in use
      if (j < h.L) pairs_of(h.k + j * h.stride, h.d, s.half, factor, row);
      for (int64_t i = 0; i < s.half; ++i) to[i * lanes] = j < h.L ? row[i] : 0;
    }
  }

  static void pack_values(const AttentionHead& h, const Scratch& s) {
    for (int64_t c = 0; c < s.dp; c += lanes) {
      const F top = column_peaks(h.v, h.stride, h.L, h.d, c);
      // A column of zeros keeps a scale of its own rather than dividing by zero.
      const F inverse = S::div(S::set1(kValue), S::max(top, S::set1(1e-30f)));
      S::store(S::mul(top, S::set1(1.0f / kValue)), s.value_scale + c);
      const auto code = [&](int64_t j) {
        return j < h.L ? S::round_i32(S::mul(E::load_some(h.v + j * h.stride, c, h.d), inverse)) : S::set1_i32(0);
      };
      for (int64_t b = 0; b < s.Lp; b += pair)
        for (int64_t i = 0; i < lanes; ++i)
          S::store_i32(S::pack16(code(b + i), code(b + lanes + i)), s.values + (b / 2 + i) * s.dp + c);
    }
  }

  // acc[r][v] = sum over i < n of row r's pair i of a, in every lane, times vector v of row i of b.
  template <int R, int V>
  static QUERN_INLINE void tile(int64_t n, const int32_t* a, int64_t a_stride, const int32_t* b, int64_t b_row,
                                int64_t b_vector, I (&acc)[R][V]) {
    QUERN_UNROLL for (int r = 0; r < R; ++r) {
      QUERN_UNROLL for (int v = 0; v < V; ++v) acc[r][v] = S::set1_i32(0);
    }
    for (int64_t i = 0; i < n; ++i) {
      I w[V];
      QUERN_UNROLL for (int v = 0; v < V; ++v) w[v] = S::load_i32(b + i * b_row + v * b_vector);
      QUERN_UNROLL for (int r = 0; r < R; ++r) {
        const I x = S::broadcast_i32(a + r * a_stride + i);
        QUERN_UNROLL for (int v = 0; v < V; ++v) acc[r][v] = S::dot16(acc[r][v], x, w[v]);
      }
    }
  }

  // M queries by n keys from `first` on.
  static void score(const Scratch& s, int64_t M, int64_t first, int64_t n) {
    for_strips<S, S::gemm_cols>(n, [&]<int V>(int64_t j, int64_t) {
      for_tiles<S::gemm_rows>(M, [&]<int R>(int64_t m) {
        I acc[R][V];
        tile<R, V>(s.half, s.queries + m * s.half_stride, s.half_stride, s.keys + (first + j) * s.half, lanes,
                   s.half * lanes, acc);
        QUERN_UNROLL for (int r = 0; r < R; ++r) {
          QUERN_UNROLL for (int v = 0; v < V; ++v) S::store_i32(acc[r][v], s.scores + (m + r) * s.Lp + j + v * lanes);
        }
      });
    });
  }

  // One query's scores and how they become probabilities.
  struct Query {
    int32_t* row;  // n scores, n a multiple of `pair`
    int64_t n;
    int64_t first, last;  // those that it sees
    float factor;         // what a unit of the scores is worth, base 2
  };

  // levels(j): vector j of the scores, base 2, less their largest; limits(j): kProbability where it is seen, else 0.
  // → 12-bit probabilities in pairs (j, j + lanes) at the front of the row; returns their sum.
  template <class Levels, class Limits>
  static QUERN_INLINE float probabilities(const Query& q, const Levels& levels, const Limits& limits) {
    I total = S::set1_i32(0);
    for (int64_t j = 0; j < q.n; j += pair) {
      const I low = S::round_i32(S::mul(E::exp2(levels(j)), limits(j)));
      const I high = S::round_i32(S::mul(E::exp2(levels(j + lanes)), limits(j + lanes)));
      total = S::add_i32(total, S::add_i32(low, high));
      S::store_i32(S::pack16(low, high), q.row + j / 2);
    }
    return static_cast<float>(S::sum_i32(total));
  }

  // Scores that are not seen become one that is, so that they do not count as the largest.
  template <class T>
  static QUERN_INLINE void hide(T* row, const Query& q) {
    for (int64_t j = 0; j < q.first; ++j) row[j] = row[q.first];
    for (int64_t j = q.last; j < q.n; ++j) row[j] = row[q.first];
  }

  static QUERN_INLINE void fill_limits(const Query& q, float* limits) {
    for (int64_t j = 0; j < q.n; ++j) limits[j] = j >= q.first && j < q.last ? kProbability : 0.0f;
  }

  template <class Limits>
  static QUERN_INLINE float plain(const Query& q, const Limits& limits) {
    hide(q.row, q);
    I top = S::load_i32(q.row);
    for (int64_t j = lanes; j < q.n; j += lanes) top = S::max_i32(top, S::load_i32(q.row + j));
    const I highest = S::set1_i32(S::max_lane_i32(top));
    const F base = S::set1(q.factor);
    return probabilities(
        q, [&](int64_t j) { return S::mul(S::to_float(S::sub_i32(S::load_i32(q.row + j), highest)), base); }, limits);
  }

  // bias: what is added to the scores, from the first that is seen on, or null. softcap: as in AttentionHead.
  template <class Limits>
  static QUERN_INLINE float shaped(const Query& q, float softcap, const float* bias, const Scratch& s,
                                   const Limits& limits) {
    const int64_t n = q.last - q.first;
    const F base = S::set1(q.factor), unit = S::set1(kLog2e);
    for (int64_t j = 0; j < n; j += lanes) {  // a last vector's rest, which is scratch too, is not stored
      const F score = S::to_float(S::load_i32(q.row + q.first + j));
      F level = S::mul(score, base);
      if (softcap > 0) level = E::capped(level, softcap * kLog2e);
      if (bias) level = S::add(level, S::mul(E::load_some(bias, j, n), unit));
      E::store_some(level, s.levels + q.first, j, n);
    }
    hide(s.levels, q);
    F tops = S::load(s.levels);
    for (int64_t j = lanes; j < q.n; j += lanes) tops = S::max(tops, S::load(s.levels + j));
    const F top = S::set1(S::max_lane(tops));
    return probabilities(
        q, [&](int64_t j) { return S::sub(S::load(s.levels + j), top); }, limits);
  }

  // last: kProbability for the keys of the text's last pair of vectors, zero beyond its end.
  static QUERN_INLINE float weights(const AttentionHead& h, int64_t i, const Query& q, const float* last,
                                    const Scratch& s) {
    const KeyRange seen = keys_of_query<S>(h, i);
    const bool all_seen = q.first == 0 && seen.last == h.L;  // but for what lies beyond the text's end
    const F all = S::set1(kProbability);
    const auto run = [&](const auto& limits) {
      if (!h.bias && h.softcap == 0) return plain(q, limits);
      return shaped(q, h.softcap, h.bias ? h.bias + i * h.bias_stride + seen.first : nullptr, s, limits);
    };
    if (all_seen) return run([&](int64_t j) { return j < q.n - pair ? all : S::load(last + (j - (q.n - pair))); });
    fill_limits(q, s.limits);
    return run([&](int64_t j) { return S::load(s.limits + j); });
  }

  // Queries [m0, m0 + M), whose probabilities of n keys from first_key on are in the rows of scores.
  static void weigh(const AttentionHead& h, const Scratch& s, int64_t m0, int64_t M, int64_t first_key, int64_t n_keys,
                    const float* sums) {
    const int32_t* values = s.values + first_key / 2 * s.dp;
    for_strips<S, S::gemm_cols>(s.dp, [&]<int V>(int64_t c, int64_t) {
      for_tiles<S::gemm_rows>(M, [&]<int R>(int64_t m) {
        F out[R][V];
        QUERN_UNROLL for (int r = 0; r < R; ++r) {
          QUERN_UNROLL for (int v = 0; v < V; ++v) out[r][v] = S::zero();
        }
        for (int64_t first = 0; first < n_keys / 2; first += kChunk) {
          const int64_t n = n_keys / 2 - first < kChunk ? n_keys / 2 - first : kChunk;
          I acc[R][V];
          tile<R, V>(n, s.scores + m * s.Lp + first, s.Lp, values + first * s.dp + c, s.dp, lanes, acc);
          QUERN_UNROLL for (int r = 0; r < R; ++r) {
            QUERN_UNROLL for (int v = 0; v < V; ++v) out[r][v] = S::add(out[r][v], S::to_float(acc[r][v]));
          }
        }
        QUERN_UNROLL for (int r = 0; r < R; ++r) {
          const F inverse = S::set1(1.0f / sums[m + r]);
          float* to = h.out + (m0 + m + r) * h.out_stride;
          QUERN_UNROLL for (int v = 0; v < V; ++v) E::store_some(
              S::mul(out[r][v], S::mul(inverse, S::load(s.value_scale + c + v * lanes))), to, c + v * lanes, h.d);
        }
      });
    });
  }

  static void run(const AttentionHead& h, void* buffer) noexcept {
    const Scratch s = scratch(buffer, h.L, h.d);
    const float unit = __builtin_sqrtf(static_cast<float>(h.d)) / 32000.0f;
    const float q_unit = peak(h.q, h.stride, h.L, h.d) * unit, k_unit = peak(h.k, h.stride, h.L, h.d) * unit;
    pack_keys(h, s, k_unit > 0 ? 1.0f / k_unit : 0.0f);
    pack_values(h, s);
    const float factor = q_unit * k_unit * h.scale * kLog2e;
    alignas(64) float last[pair];
    for (int64_t j = 0; j < pair; ++j) last[j] = s.Lp - pair + j < h.L ? kProbability : 0.0f;
    for (int64_t m = 0; m < h.L; m += kQueryBlock) {
      const int64_t M = h.L - m < kQueryBlock ? h.L - m : kQueryBlock;
      const KeyRange keys = keys_of_block<S>(h, m, M, kKeyBlock);
      const int64_t n = round_up(keys.last - keys.first, pair);
      float sums[kQueryBlock];
      for (int64_t i = 0; i < M; ++i)
        pairs_of(h.q + (m + i) * h.stride, h.d, s.half, q_unit > 0 ? 1.0f / q_unit : 0.0f,
                 s.queries + i * s.half_stride);
      score(s, M, keys.first, n);
      for (int64_t i = 0; i < M; ++i) {
        const KeyRange seen = keys_of_query<S>(h, m + i);
        sums[i] = weights(h, m + i, {s.scores + i * s.Lp, n, seen.first - keys.first, seen.last - keys.first, factor},
                          last, s);
      }
      weigh(h, s, m, M, keys.first, n, sums);
    }
  }
};

}  // namespace quern
