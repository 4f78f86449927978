// Attention of decoders over keys and values kept in pages (kernels.h: PagedHead), one pass: scores of a page, softmax
// so far, values. A page holds the keys of its 32 tokens value by value, so that tokens lie side by side, and its
// values token by token: both products are chains of fused multiply-adds over whole vectors. Costs 2 · d
// multiply-accumulates in f32 for each row and key. Included by ISA-flagged files only.
#pragma once
#include <type_traits>

#include "isa/elementwise.h"
#include "isa/encode.h"
#include "kernels.h"
#include "quants/tiles.h"

namespace quern {

struct KeptAsF16 {
  using Stored = uint16_t;
  static constexpr bool scaled = false;
  template <class S>
  static QUERN_INLINE typename S::F load(const Stored* p) {
    return S::load_f16(p);
  }
  // n values into `out`, as they are kept; the scale that brings them back.
  template <class S>
  static QUERN_INLINE float encode(const float* x, int64_t n, Stored* out) {
    int64_t i = 0;
    for (; i + S::lanes <= n; i += S::lanes) S::store_f16(S::load(x + i), out + i);
    if (i < n) {
      float rest[S::lanes] = {};
      Stored codes[S::lanes];
      for (int64_t j = i; j < n; ++j) rest[j - i] = x[j];
      S::store_f16(S::load(rest), codes);
      for (int64_t j = i; j < n; ++j) out[j] = codes[j - i];
    }
    return 1;
  }
};

struct KeptAsI8 {
  using Stored = int8_t;
  static constexpr bool scaled = true;
  template <class S>
  static QUERN_INLINE typename S::F load(const Stored* p) {
    return S::to_float(S::load_s8(p));
  }
  template <class S>
  static QUERN_INLINE float encode(const float* x, int64_t n, Stored* out) {
    float low, high;
    S::range(x, nullptr, n, low, high);
    const float top = high > -low ? high : -low;
    encode_row<S>(x, nullptr, n, top > 0 ? 127.0f / top : 0.0f, 0, -127, 127, 0, out);
    return top / 127.0f;
  }
};

// Exactly; also what a page is made of that is made wide once for many rows.
struct KeptAsF32 {
  using Stored = float;
  static constexpr bool scaled = false;
  template <class S>
  static QUERN_INLINE typename S::F load(const float* p) {
    return S::load(p);
  }
  template <class S>
  static QUERN_INLINE float encode(const float* x, int64_t n, float* out) {
    for (int64_t i = 0; i < n; ++i) out[i] = x[i];
    return 1;
  }
};

template <class S, class Kept>
struct PagedAttention {
  using F = typename S::F;
  using E = Elementwise<S>;
  using Stored = typename Kept::Stored;
  static constexpr int n = static_cast<int>(kPageTokens), L = S::lanes, vectors = n / L;
  static constexpr int strip = vectors < S::gemm_cols ? vectors : S::gemm_cols;  // of keys, in one tile
  static constexpr int R = S::gemm_rows;

  static size_t page_bytes(int64_t d) noexcept {
    return static_cast<size_t>(
        round_up(2 * n * d * static_cast<int64_t>(sizeof(Stored)) + (Kept::scaled ? 8 * n : 0), 64));
  }
  // Weights of R rows, then a page as floats.
  static size_t scratch_bytes(int64_t d) noexcept { return sizeof(float) * static_cast<size_t>(R * n + 2 * n * d); }

  static QUERN_INLINE const float* scales(const char* page, int64_t d) {  // of keys, then of values
    return reinterpret_cast<const float*>(reinterpret_cast<const Stored*>(page) + 2 * n * d);
  }

  static void store(const float* k, const float* v, int64_t d, int64_t slot, void* page) noexcept {
    Stored* keys = static_cast<Stored*>(page);
    float* scale = const_cast<float*>(scales(static_cast<const char*>(page), d));
    Stored* row = keys + n * d + slot * d;
    const float of_key = Kept::template encode<S>(k, d, row);  // on its way to where values lie
    for (int64_t i = 0; i < d; ++i) keys[i * n + slot] = row[i];
    const float of_value = Kept::template encode<S>(v, d, row);
    if constexpr (Kept::scaled) scale[slot] = of_key, scale[n + slot] = of_value;
  }

  // Scores of `rows` (at most R) queries with a page's keys. scale: of each key, or null.
  template <int rows, class As, class Value>
  static QUERN_INLINE void scores(const float* q, int64_t d, const Value* keys, const float* scale, float* out) {
    for (int c = 0; c < vectors; c += strip) {
      F acc[rows][strip];
      QUERN_UNROLL for (int r = 0; r < rows; ++r) {
        QUERN_UNROLL for (int s = 0; s < strip; ++s) acc[r][s] = S::zero();
      }
      for (int64_t i = 0; i < d; ++i) {
        F k[strip];
        QUERN_UNROLL for (int s = 0; s < strip; ++s) k[s] = As::template load<S>(keys + i * n + (c + s) * L);
        QUERN_UNROLL for (int r = 0; r < rows; ++r) {
          const F a = S::set1(q[r * d + i]);
          QUERN_UNROLL for (int s = 0; s < strip; ++s) acc[r][s] = S::fma(a, k[s], acc[r][s]);
        }
      }
      QUERN_UNROLL for (int r = 0; r < rows; ++r) {
        QUERN_UNROLL for (int s = 0; s < strip; ++s) {
          if constexpr (Kept::scaled) acc[r][s] = S::mul(acc[r][s], S::load(scale + (c + s) * L));
          S::store(acc[r][s], out + r * n + (c + s) * L);
        }
      }
    }
  }

  // One row's scores with keys `key` …: masked, then exp(score - top) in their place, times the values' scale. Brings
  // top and total up to date; what `out` is to be multiplied by.
  static QUERN_INLINE float weigh(const PagedHead& h, int64_t row, int64_t key, const float* value_scale, float* s) {
    if (h.softcap > 0) {
      for (int i = 0; i < n; i += L) S::store(Elementwise<S>::capped(S::load(s + i), h.softcap), s + i);
    }
    const int64_t last = h.position[row], first = last - h.window + 1;
    if (key < first || key + n - 1 > last || key + n > h.end)
      for (int i = 0; i < n; ++i)
        if (key + i < first || key + i > last || key + i >= h.end) s[i] = -__builtin_inff();
    F tops = S::load(s);
    for (int i = L; i < n; i += L) tops = S::max(tops, S::load(s + i));
    const float before = h.top[row], found = S::max_lane(tops), top = found > before ? found : before;
    const float base = top == -__builtin_inff() ? 0.0f : top;
    const float total = E::sum16(n, [&](F sum, int64_t i) {
      const F e = E::exp(S::sub(S::load(s + i), S::set1(base)));
      S::store(value_scale ? S::mul(e, S::load(value_scale + i)) : e, s + i);
      return S::add(sum, e);
    });
    const float factor = top == before ? 1.0f : E::exp1(before - base);
    h.top[row] = top;
    h.total[row] = h.total[row] * factor + total;
    return factor;
  }

  // out[r] = factor[r] · out[r] + weights[r] · values.
  template <int rows, class As, class Value>
  static QUERN_INLINE void add_values(const float* weights, const float* factors, const Value* v, int64_t d,
                                      float* out) {
    const auto block = [&]<int C>(int64_t at) {
      F acc[rows][C];
      QUERN_UNROLL for (int r = 0; r < rows; ++r) {
        QUERN_UNROLL for (int c = 0; c < C; ++c) acc[r][c] =
            S::mul(S::load(out + r * d + at + c * L), S::set1(factors[r]));
      }
      for (int i = 0; i < n; ++i) {
        F x[C];
        QUERN_UNROLL for (int c = 0; c < C; ++c) x[c] = As::template load<S>(v + i * d + at + c * L);
        QUERN_UNROLL for (int r = 0; r < rows; ++r) {
          const F p = S::set1(weights[r * n + i]);
          QUERN_UNROLL for (int c = 0; c < C; ++c) acc[r][c] = S::fma(p, x[c], acc[r][c]);
        }
      }
      QUERN_UNROLL for (int r = 0; r < rows; ++r) {
        QUERN_UNROLL for (int c = 0; c < C; ++c) S::store(acc[r][c], out + r * d + at + c * L);
      }
    };
    int64_t at = 0;
    for (; at + S::gemm_cols * L <= d; at += S::gemm_cols * L) block.template operator()<S::gemm_cols>(at);
    for (; at + L <= d; at += L) block.template operator()<1>(at);
    for (; at < d; ++at) {
      for (int r = 0; r < rows; ++r) {
        float sum = out[r * d + at] * factors[r];
        for (int i = 0; i < n; ++i) {
          Value one[L] = {};
          float wide[L];
          one[0] = v[i * d + at];
          S::store(As::template load<S>(one), wide);
          sum = S::fma1(weights[r * n + i], wide[0], sum);
        }
        out[r * d + at] = sum;
      }
    }
  }

  // A page's keys and values for all rows, in tiles.
  template <class As, class Value>
  static void attend_page(const PagedHead& h, int64_t key, const char* page, const Value* keys, const Value* v,
                          float* s) {
    for_tiles<R>(h.rows, [&]<int rows>(int64_t r) {
      bool seen = false;  // by any row
      for (int i = 0; i < rows; ++i)
        seen = seen || (key <= h.position[r + i] && key + n > h.position[r + i] - h.window + 1);
      if (!seen) return;
      scores<rows, As>(h.q + r * h.d, h.d, keys, Kept::scaled ? scales(page, h.d) : nullptr, s);
      float factors[rows];
      for (int i = 0; i < rows; ++i)
        factors[i] = weigh(h, r + i, key, Kept::scaled ? scales(page, h.d) + n : nullptr, s + i * n);
      add_values<rows, As>(s, factors, v, h.d, h.out + r * h.d);
    });
  }

  static void attend(const PagedHead& h, void* scratch) noexcept {
    float* const s = static_cast<float*>(scratch);
    float* const wide = s + R * n;
    for (int64_t key = h.begin; key < h.end; key += n) {
      const char* page = h.first + h.pages[key / n] * h.page_stride;
      const Stored* kept = reinterpret_cast<const Stored*>(page);
      if (std::is_same_v<Kept, KeptAsF32> || h.rows <= R) {
        attend_page<Kept>(h, key, page, kept, kept + n * h.d, s);
      } else {
        for (int64_t i = 0; i < 2 * n * h.d; i += L) S::store(Kept::template load<S>(kept + i), wide + i);
        attend_page<KeptAsF32>(h, key, page, wide, wide + n * h.d, s);
      }
    }
  }
};

template <class S, class Kept>
constexpr PagedKernel paged_kernels() {
  using P = PagedAttention<S, Kept>;
  return {P::page_bytes, P::store, P::scratch_bytes, P::attend};
}

}  // namespace quern
