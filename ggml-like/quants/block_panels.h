// Products by the panels of ggml's block types (block_type.h). Activations become int8 with one f32 scale for every 32
// (amax / 127). With a = scale_x · v and w = scale · (code - zero) + min,
//   y = sum over subs of scale · scale_x · (sum code · v - zero · sum v)  +  min · scale_x · sum v.
// The sums in the inner bracket are exact: 32 · 255 · 127 < 2^31. Included by ISA-flagged files only.
#pragma once
#include <type_traits>

#include "isa/encode.h"
#include "isa/finish.h"
#include "kernels.h"
#include "quants/block_type.h"
#include "quants/opened_panels.h"
#include "quants/tiles.h"

namespace quern {

template <class T>
struct BlockPanels {
  using Planes = BlockPlanes<T>;
  static constexpr bool by_bytes = T::is_signed;  // products of two signed bytes
  static constexpr int quads = T::sub / 4;        // of four k, in a sub

  template <class S>
  static constexpr int lifted = T::zero + (by_bytes ? S::lift_s : 0);
  template <class S, bool bytes>
  struct ActOf {
    using type = int8_t;
  };
  template <class S>
  struct ActOf<S, true> {
    using type = typename S::ActS;
  };
  template <class S>
  using Act = typename ActOf<S, by_bytes>::type;

  // A prepared row: scale_x of every 32; of every sub the start of its integer sum, -lifted · sum v, and
  // scale_x · sum v; then the activations v.
  static QUERN_INLINE constexpr int64_t starts(int64_t K) { return round_up(K / 32 * 4, 64); }
  static QUERN_INLINE constexpr int64_t totals(int64_t K) { return starts(K) + round_up(K / T::sub * 4, 64); }
  static QUERN_INLINE constexpr int64_t values(int64_t K) { return totals(K) + round_up(K / T::sub * 4, 64); }

  template <class S>
  static size_t row_bytes(int64_t K) noexcept {
    return static_cast<size_t>(values(K) + round_up(K * static_cast<int64_t>(sizeof(Act<S>)), 64));
  }

  template <class S>
  static void prepare(const float* x, const float* smooth, int64_t K, void* row) noexcept {
    char* const base = static_cast<char*>(row);
    float* const scales = reinterpret_cast<float*>(base);
    int32_t* const start = reinterpret_cast<int32_t*>(base + starts(K));
    float* const total = reinterpret_cast<float*>(base + totals(K));
    Act<S>* const out = reinterpret_cast<Act<S>*>(base + values(K));
    constexpr int n = 32 / S::lanes, per_sub = T::sub / S::lanes;  // vectors
    for (int64_t k = 0; k < K; k += 32) {
      typename S::F v[n], tops = S::zero(), all = S::zero();
      QUERN_UNROLL for (int i = 0; i < n; ++i) {
        v[i] = S::load(x + k + i * S::lanes);
        if (smooth) v[i] = S::mul(v[i], S::load(smooth + k + i * S::lanes));
        tops = S::max(tops, S::max(v[i], S::sub(S::zero(), v[i])));
        all = S::add(all, S::mul(v[i], S::zero()));
      }
      // What is no number makes the scale none.
      const float top = S::max_lane(tops), scale = top / 127.0f + S::fold(all);
      scales[k / 32] = scale;
      const auto inverse = S::set1(top > 0 ? 127.0f / top : 0.0f);
      QUERN_UNROLL for (int s = 0; s < 32 / T::sub; ++s) {
        auto total_codes = S::set1_i32(0);
        QUERN_UNROLL for (int i = s * per_sub; i < (s + 1) * per_sub; ++i) {
          const auto codes = S::round_i32(S::mul(v[i], inverse));
          S::store_codes(codes, out + k + i * S::lanes);
          total_codes = S::add_i32(total_codes, codes);
        }
        const int32_t sum = S::sum_i32(total_codes);
        start[k / T::sub + s] = -lifted<S> * sum;
        total[k / T::sub + s] = scale * static_cast<float>(sum);
      }
    }
  }

  // Quad q of a group's 32 k: a byte a code. `group`: at the first of the wanted outputs.
  template <class S, int q>
  static QUERN_INLINE typename S::W4 codes(const uint8_t* group) {
    constexpr Plane a = Planes::planes[0], b = Planes::planes[1];
    constexpr int per_a = 8 / a.bits, per_b = 8 / b.bits;
    typename S::W4 w = S::load_codes(group + (a.line + q / per_a) * 64);
    if constexpr (a.bits < 8) w = S::template field<q % per_a * a.bits, a.bits, 0>(w);
    if constexpr (Planes::n == 2)
      w = S::or_codes(
          w, S::template field<q % per_b * b.bits, b.bits, b.shift>(S::load_codes(group + (b.line + q / per_b) * 64)));
    if constexpr (T::has_table) {
      static constexpr CodeTable table = T::table();
      w = S::look_up(table.of, w);
    }
    return w;
  }

  // How many products of a code and an activation fit int16 together, two by two.
  static constexpr int largest = T::has_table ? T::top : (1 << T::bits) - 1;
  static constexpr int fits = by_bytes ? 0 : 32767 / (2 * 127 * largest);

  // A group's codes as the products take them.
  template <class S, bool bytes>
  struct WeightsOf {
    using type = typename S::W4;
  };
  template <class S>
  struct WeightsOf<S, true> {
    using type = typename S::WS;
  };
  template <class S>
  using Weights = typename WeightsOf<S, by_bytes>::type;

  // They as they lie in a panel, from the first of the wanted outputs on.
  template <class S>
  struct PackedCodes {
    const uint8_t* group;
    int64_t panel_bytes;
    template <int q>
    QUERN_INLINE Weights<S> get(int p) const {
      const auto w = codes<S, q>(group + p * S::lanes / 16 * panel_bytes + p * S::lanes % 16 * 4);
      if constexpr (by_bytes)
        return S::signed_codes(w);
      else
        return w;
    }
  };

  // Activations of quad q of group g of row x.
  template <class S>
  static QUERN_INLINE const Act<S>* quad_at(const char* x, int64_t K, int64_t g, int q) {
    return reinterpret_cast<const Act<S>*>(x + values(K)) + g * 32 + q * 4;
  }

  // Integer sums of sub s of group g for R rows x and P pieces of S::lanes outputs: what the codes add to them.
  template <class S, int s, int R, int P, class Codes>
  static QUERN_INLINE void add_signed(const Codes& all, const char* x, int64_t K, int64_t g,
                                      typename S::I (&sums)[R][P]) {
    typename S::AccS acc[R][P];
    unrolled<quads>([&]<int i>() QUERN_INLINED {
      typename S::WS w[P];
      QUERN_UNROLL for (int p = 0; p < P; ++p) w[p] = all.template get<s * quads + i>(p);
      QUERN_UNROLL for (int r = 0; r < R; ++r) {
        const auto four = S::broadcast_s(quad_at<S>(x + r * row_bytes<S>(K), K, g, s * quads + i));
        QUERN_UNROLL for (int p = 0; p < P; ++p) acc[r][p] = chain_s<S, i == 0>(acc[r][p], w[p], four);
      }
    });
    QUERN_UNROLL for (int r = 0; r < R; ++r) {
      QUERN_UNROLL for (int p = 0; p < P; ++p) sums[r][p] = S::add_i32(S::sums_s(acc[r][p]), sums[r][p]);
    }
  }
  // The same of `run` quads from q0 on, which fit int16 together where sums are short.
  template <class S, int q0, int run, int R, int P, class Codes>
  static QUERN_INLINE void add_run(const Codes& all, const char* x, int64_t K, int64_t g, typename S::I (&sums)[R][P]) {
    typename S::Acc4 acc[R][P];
    if constexpr (S::wide4) {
      QUERN_UNROLL for (int r = 0; r < R; ++r) {
        QUERN_UNROLL for (int p = 0; p < P; ++p) acc[r][p] = sums[r][p];
      }
    }
    unrolled<run>([&]<int i>() QUERN_INLINED {
      constexpr bool begins = i == 0 && !S::wide4;
      typename S::W4 w[P];
      QUERN_UNROLL for (int p = 0; p < P; ++p) w[p] = all.template get<q0 + i>(p);
      QUERN_UNROLL for (int r = 0; r < R; ++r) {
        const auto four = S::broadcast4(quad_at<S>(x + r * row_bytes<S>(K), K, g, q0 + i));
        QUERN_UNROLL for (int p = 0; p < P; ++p) acc[r][p] = chain4<S, begins>(acc[r][p], w[p], four);
      }
    });
    QUERN_UNROLL for (int r = 0; r < R; ++r) {
      QUERN_UNROLL for (int p = 0; p < P; ++p) {
        if constexpr (S::wide4)
          sums[r][p] = S::sums4(acc[r][p]);
        else
          sums[r][p] = S::add_i32(sums[r][p], S::sums4(acc[r][p]));
      }
    }
  }
  template <class S, int s, int R, int P, class Codes>
  static QUERN_INLINE void sub_sums(const Codes& all, const char* x, int64_t K, int64_t g,
                                    typename S::I (&sums)[R][P]) {
    QUERN_UNROLL for (int r = 0; r < R; ++r) {
      const auto* const start = reinterpret_cast<const int32_t*>(x + r * row_bytes<S>(K) + starts(K));
      QUERN_UNROLL for (int p = 0; p < P; ++p) sums[r][p] =
          S::set1_i32(lifted<S> != 0 ? start[g * (32 / T::sub) + s] : 0);
    }
    if constexpr (by_bytes) {
      add_signed<S, s>(all, x, K, g, sums);
    } else {
      constexpr int run = S::wide4 || fits >= quads ? quads : fits >= 4 ? 4 : fits >= 2 ? 2 : 1;
      unrolled<quads / run>([&]<int i>() QUERN_INLINED { add_run<S, s * quads + i * run, run>(all, x, K, g, sums); });
    }
  }

  template <class S>
  static QUERN_INLINE typename S::F half(const uint8_t* p) {
    if constexpr (T::bf16_scale)
      return S::load_bf16(reinterpret_cast<const uint16_t*>(p));
    else
      return S::load_f16(reinterpret_cast<const uint16_t*>(p));
  }

  // Scales of a block and of its subs, for one piece. `block` stands at the piece's first output of the 16.
  template <class S>
  struct Scales {
    typename S::F scale, min;
    const int8_t *scales, *mins;
    QUERN_INLINE Scales() {}
    QUERN_INLINE Scales(const uint8_t* block, int64_t lane) {
      scale = half<S>(block + lane * 2);
      if constexpr (T::mins) min = half<S>(block + 32 + lane * 2);
      scales = reinterpret_cast<const int8_t*>(block) + (T::mins ? 64 : 32) + lane;
      mins = scales + 256 / T::sub * 16;
    }
    QUERN_INLINE typename S::F scale_of(int64_t sub) const {
      if constexpr (Planes::two_level)
        return S::mul(scale, S::to_float(S::load_s8(scales + sub * 16)));
      else
        return scale;
    }
    QUERN_INLINE typename S::F min_of(int64_t sub) const {  // with the sign with which it is added
      if constexpr (!T::mins)
        return S::zero();
      else if constexpr (Planes::two_level)
        return S::mul(S::sub(S::zero(), min), S::to_float(S::load_s8(mins + sub * 16)));
      else
        return min;
    }
  };

  // Where things are: of the panel that output n is in.
  static QUERN_INLINE const uint8_t* codes_at(const Matrix& w, int64_t n) {
    return static_cast<const uint8_t*>(w.arrays[0]) + n / 16 * (w.K / 32) * Planes::group_bytes;
  }
  static QUERN_INLINE const uint8_t* scales_at(const Matrix& w, int64_t n) {
    return static_cast<const uint8_t*>(w.arrays[1]) + n / 16 * (w.K / T::block) * Planes::scale_bytes;
  }

  // acc + scale · scale_x · sums + min · scale_x · sum v, of sub s of group g of row x.
  template <class S, int s>
  static QUERN_INLINE typename S::F plus_sub(typename S::F acc, typename S::I sums, typename S::F scale,
                                             typename S::F min, const char* x, int64_t K, int64_t g) {
    const float scale_x = reinterpret_cast<const float*>(x)[g];
    acc = S::fma(S::to_float(sums), S::mul(scale, S::set1(scale_x)), acc);
    if constexpr (T::mins)
      acc = S::fma(min, S::set1(reinterpret_cast<const float*>(x + totals(K))[g * (32 / T::sub) + s]), acc);
    return acc;
  }

  template <class S, int R, int P>
  static QUERN_INLINE void end(typename S::F (&acc)[R][P], const char*, const Matrix&, int64_t, int64_t valid,
                               const Epilogue& e, int64_t m, float* y, int64_t stride) {
    QUERN_UNROLL for (int p = 0; p < P; ++p) {
      const auto bias = bias_of<S>(e, p, valid);
      QUERN_UNROLL for (int r = 0; r < R; ++r) acc[r][p] = S::add(acc[r][p], bias);
    }
    finish_tile<S>(acc, valid, e, m, y, stride);
  }

  template <class S>  // rows of a tile of one piece
  static constexpr int few_rows = S::rows4* S::pieces4 < 8 ? S::rows4* S::pieces4 : 8;

  // M rows × P pieces of outputs from n on, of which `valid` are real. y and e begin there. `few`: all of them
  // are one tile.
  template <class S, int P, bool few>
  static void columns(const char* x, int64_t M, const Matrix& w, int64_t n, int64_t valid, const Epilogue& e, float* y,
                      int64_t stride) {
    constexpr int subs = 32 / T::sub;
    const size_t x_bytes = row_bytes<S>(w.K);
    const int64_t lane = n % 16, K = w.K;  // P > 1 only where lane is 0
    const uint8_t* const all_codes = codes_at(w, n) + lane * 4;
    const uint8_t* const all_scales = scales_at(w, n);
    const int64_t code_panel = K / 32 * Planes::group_bytes, scale_panel = K / T::block * Planes::scale_bytes;
    for_tiles<few && P == 1 ? few_rows<S> : S::rows4>(M, [&]<int R>(int64_t m) QUERN_INLINED {
      const char* const rows = x + m * x_bytes;
      typename S::F acc[R][P];
      QUERN_UNROLL for (int r = 0; r < R; ++r) {
        QUERN_UNROLL for (int p = 0; p < P; ++p) acc[r][p] = S::zero();
      }
      for (int64_t b = 0; b < K / T::block; ++b) {
        Scales<S> scales[P];
        QUERN_UNROLL for (int p = 0; p < P; ++p) scales[p] =
            Scales<S>(all_scales + p * S::lanes / 16 * scale_panel + b * Planes::scale_bytes, lane + p * S::lanes % 16);
        for (int64_t g = 0; g < T::block / 32; ++g) {
          const int64_t group = b * (T::block / 32) + g;
          const PackedCodes<S> packed{all_codes + group * Planes::group_bytes, code_panel};
          if constexpr (few) prefetch_ahead<S>(packed.group, Planes::group_bytes);
          unrolled<subs>([&]<int s>() QUERN_INLINED {
            typename S::I sums[R][P];
            sub_sums<S, s, R, P>(packed, rows, K, group, sums);
            QUERN_UNROLL for (int p = 0; p < P; ++p) {
              const auto scale = scales[p].scale_of(g * subs + s), min = scales[p].min_of(g * subs + s);
              QUERN_UNROLL for (int r = 0; r < R; ++r) acc[r][p] =
                  plus_sub<S, s>(acc[r][p], sums[r][p], scale, min, rows + r * x_bytes, K, group);
            }
          });
        }
      }
      end<S, R, P>(acc, rows, w, n, valid, e, m, y, stride);
    });
  }

  // For OpenedPanels.
  template <class S>
  struct Opened : OpenedCodes<Weights<S>, 16 / S::lanes> {
    typename S::F scale[32 / T::sub][16 / S::lanes], min[32 / T::sub][16 / S::lanes];
  };
  template <class S>
  static QUERN_INLINE void open(const Matrix& w, int64_t n, int64_t g, Opened<S>& to) {
    constexpr int subs = 32 / T::sub, groups = T::block / 32;
    const PackedCodes<S> packed{codes_at(w, n) + g * Planes::group_bytes, 0};
    prefetch_ahead<S>(packed.group, Planes::group_bytes);
    QUERN_UNROLL for (int p = 0; p < 16 / S::lanes; ++p) {
      unrolled<8>([&]<int q>() QUERN_INLINED { to.codes[q][p] = packed.template get<q>(p); });
      const Scales<S> scales(scales_at(w, n) + g / groups * Planes::scale_bytes, p * S::lanes);
      QUERN_UNROLL for (int s = 0; s < subs; ++s) {
        to.scale[s][p] = scales.scale_of(g % groups * subs + s);
        to.min[s][p] = scales.min_of(g % groups * subs + s);
      }
    }
  }
  template <class S, int R>
  static QUERN_INLINE void add_group(const Opened<S>& opened, const char* x, int64_t K, int64_t g,
                                     typename S::F (*acc)[16 / S::lanes]) {
    constexpr int P = 16 / S::lanes;
    const size_t x_bytes = row_bytes<S>(K);
    unrolled<32 / T::sub>([&]<int s>() QUERN_INLINED {
      typename S::I sums[R][P];
      sub_sums<S, s, R, P>(opened, x, K, g, sums);
      QUERN_UNROLL for (int r = 0; r < R; ++r) {
        QUERN_UNROLL for (int p = 0; p < P; ++p) acc[r][p] =
            plus_sub<S, s>(acc[r][p], sums[r][p], opened.scale[s][p], opened.min[s][p], x + r * x_bytes, K, g);
      }
    });
  }

  template <class S>
  static void multiply(const void* rows, int64_t M, const Matrix& w, int64_t n0, int64_t N, const Epilogue& e, float* y,
                       int64_t stride, void*) noexcept {
    const char* const x = static_cast<const char*>(rows);
    const auto strips = [&]<int MP, bool few>() {
      for_strips<S, MP>(N, [&]<int P>(int64_t n, int64_t valid) {
        columns<S, P, few>(x, M, w, n0 + n, valid, from_column<S>(e, n), y + n, stride);
      });
    };
    // Few rows are bound by memory: one stream of codes, read once, which prefetchers follow from panel to panel.
    if (!S::wide4 && M <= S::rows4)
      strips.template operator()<S::wide4 ? 1 : S::pieces4, true>();  // whole lines, a panel's 16 outputs
    else if (M <= few_rows<S>)
      strips.template operator()<1, true>();
    else if constexpr (S::wide4)
      strips.template operator()<S::pieces4, false>();
    else
      OpenedPanels<S, BlockPanels>::multiply(x, M, w, n0, N, e, y, stride);
  }

  template <class S>
  static void accumulate(const void* rows, int64_t M, const Matrix& w, int32_t* acc) noexcept {
    const size_t x_bytes = row_bytes<S>(w.K);
    const int64_t subs = w.K / T::sub;
    for (int64_t m = 0; m < M; ++m) {
      const char* const row = static_cast<const char*>(rows) + m * static_cast<int64_t>(x_bytes);
      for (int64_t n = 0; n < w.N; n += S::lanes) {
        for (int64_t g = 0; g < w.K / 32; ++g) {
          unrolled<32 / T::sub>([&]<int s>() QUERN_INLINED {
            typename S::I sums[1][1];
            sub_sums<S, s, 1, 1>(PackedCodes<S>{codes_at(w, n) + n % 16 * 4 + g * Planes::group_bytes, 0}, row, w.K, g,
                                 sums);
            alignas(64) int32_t lanes[S::lanes];
            S::store_i32(sums[0][0], lanes);
            for (int64_t c = 0; c < S::lanes && n + c < w.N; ++c)
              acc[(m * w.N + n + c) * subs + g * (32 / T::sub) + s] = lanes[c];
          });
        }
      }
    }
  }

  template <class S>
  static constexpr TypeKernels kernels() {
    return {row_bytes<S>, prepare<S>, multiply<S>, nullptr, accumulate<S>};
  }
};

}  // namespace quern
