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
#include "quants/tiles.h"

namespace quern {

// f.operator()<i>() for i < n, each a constant.
template <int n, class F, int i = 0>
QUERN_INLINE void unrolled(const F& f) {
  if constexpr (i < n) {
    f.template operator()<i>();
    unrolled<n, F, i + 1>(f);
  }
}

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
  static constexpr int fits = 32767 / (2 * 127 * largest);

  // Integer sums of a sub for R rows and P pieces of S::lanes outputs; `first`: its first quad in the group. x: the
  // activations of the group's 32 k.
  template <class S, int first, int R, int P>
  static QUERN_INLINE void sub_sums(const Act<S>* x, size_t x_stride, const uint8_t* group, int64_t panel_bytes,
                                    const int32_t* start, size_t start_stride, typename S::I (&out)[R][P]) {
    const auto piece = [&](int p) { return group + p * S::lanes / 16 * panel_bytes + p * S::lanes % 16 * 4; };
    const auto row = [&](int r) {
      return reinterpret_cast<const Act<S>*>(reinterpret_cast<const char*>(x) + r * x_stride);
    };
    const auto begin = [&](int r) {
      return S::set1_i32(*reinterpret_cast<const int32_t*>(reinterpret_cast<const char*>(start) + r * start_stride));
    };
    if constexpr (by_bytes) {
      typename S::AccS acc[R][P];
      QUERN_UNROLL for (int r = 0; r < R; ++r) {
        QUERN_UNROLL for (int p = 0; p < P; ++p) acc[r][p] = S::zero_s();
      }
      unrolled<quads>([&]<int i>() {
        typename S::WS w[P];
        QUERN_UNROLL for (int p = 0; p < P; ++p) w[p] = S::signed_codes(codes<S, first + i>(piece(p)));
        QUERN_UNROLL for (int r = 0; r < R; ++r) {
          const auto four = S::broadcast_s(row(r) + (first + i) * 4);
          QUERN_UNROLL for (int p = 0; p < P; ++p) acc[r][p] = S::dot_s(acc[r][p], w[p], four);
        }
      });
      QUERN_UNROLL for (int r = 0; r < R; ++r) {
        QUERN_UNROLL for (int p = 0; p < P; ++p) {
          out[r][p] = S::sums_s(acc[r][p]);
          if constexpr (lifted<S> != 0) out[r][p] = S::add_i32(out[r][p], begin(r));
        }
      }
    } else {
      constexpr int run = S::wide4 || fits >= quads ? quads : fits >= 4 ? 4 : fits >= 2 ? 2 : 1;
      QUERN_UNROLL for (int r = 0; r < R; ++r) {
        QUERN_UNROLL for (int p = 0; p < P; ++p) out[r][p] = lifted<S> != 0 ? begin(r) : S::set1_i32(0);
      }
      unrolled<quads / run>([&]<int part>() {
        typename S::Acc4 acc[R][P];
        QUERN_UNROLL for (int r = 0; r < R; ++r) {
          QUERN_UNROLL for (int p = 0; p < P; ++p) {
            if constexpr (S::wide4)
              acc[r][p] = out[r][p];
            else
              acc[r][p] = S::zero4();
          }
        }
        unrolled<run>([&]<int i>() {
          constexpr int q = first + part * run + i;
          typename S::W4 w[P];
          QUERN_UNROLL for (int p = 0; p < P; ++p) w[p] = codes<S, q>(piece(p));
          QUERN_UNROLL for (int r = 0; r < R; ++r) {
            const auto four = S::broadcast4(row(r) + q * 4);
            QUERN_UNROLL for (int p = 0; p < P; ++p) acc[r][p] = S::dot4(acc[r][p], w[p], four);
          }
        });
        QUERN_UNROLL for (int r = 0; r < R; ++r) {
          QUERN_UNROLL for (int p = 0; p < P; ++p) {
            if constexpr (S::wide4)
              out[r][p] = S::sums4(acc[r][p]);
            else
              out[r][p] = S::add_i32(out[r][p], S::sums4(acc[r][p]));
          }
        }
      });
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
      if constexpr (Planes::two_level)
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

  template <class S>  // rows of a tile of one piece
  static constexpr int few = S::rows4* S::pieces4 < 8 ? S::rows4* S::pieces4 : 8;

  // M rows × P pieces of outputs from n on, of which `valid` are real. y and e begin there.
  template <class S, int P>
  static void columns(const char* x, int64_t M, const Matrix& w, int64_t n, int64_t valid, const Epilogue& e, float* y,
                      int64_t stride) {
    const size_t x_bytes = row_bytes<S>(w.K);
    const int64_t lane = n % 16, K = w.K;  // P > 1 only where lane is 0
    const uint8_t* const all_codes = codes_at(w, n) + lane * 4;
    const uint8_t* const all_scales = scales_at(w, n);
    const int64_t code_panel = K / 32 * Planes::group_bytes, scale_panel = K / T::block * Planes::scale_bytes;
    for_tiles<P == 1 ? few<S> : S::rows4>(M, [&]<int R>(int64_t m) {
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
          const uint8_t* const group_codes = all_codes + group * Planes::group_bytes;
          if constexpr (P == 1) {  // where prefetchers stop, at the ends of pages: 0 to 4 % of generating
            constexpr int64_t ahead = 3072;
            for (int64_t line = 0; line < Planes::group_bytes; line += 64)
              __builtin_prefetch(group_codes + ahead + line, 0, 2);
          }
          const Act<S>* const v = reinterpret_cast<const Act<S>*>(rows + values(K)) + group * 32;
          unrolled<32 / T::sub>([&]<int s>() {
            const int64_t sub = group * (32 / T::sub) + s;  // of the row
            typename S::I sums[R][P];
            sub_sums<S, s * quads, R, P>(v, x_bytes, group_codes, code_panel,
                                         reinterpret_cast<const int32_t*>(rows + starts(K)) + sub, x_bytes, sums);
            QUERN_UNROLL for (int p = 0; p < P; ++p) {
              const auto scale = scales[p].scale_of(g * (32 / T::sub) + s);
              QUERN_UNROLL for (int r = 0; r < R; ++r) {
                const float sx = reinterpret_cast<const float*>(rows + r * x_bytes)[group];
                acc[r][p] = S::fma(S::to_float(sums[r][p]), S::mul(scale, S::set1(sx)), acc[r][p]);
              }
              if constexpr (T::mins) {
                const auto min = scales[p].min_of(g * (32 / T::sub) + s);
                QUERN_UNROLL for (int r = 0; r < R; ++r) {
                  const float total = reinterpret_cast<const float*>(rows + r * x_bytes + totals(K))[sub];
                  acc[r][p] = S::fma(min, S::set1(total), acc[r][p]);
                }
              }
            }
          });
        }
      }
      QUERN_UNROLL for (int p = 0; p < P; ++p) {
        const auto bias = bias_of<S>(e, p, valid);
        QUERN_UNROLL for (int r = 0; r < R; ++r) acc[r][p] = S::add(acc[r][p], bias);
      }
      finish_tile<S>(acc, valid, e, m, y, stride);
    });
  }

  template <class S>
  static void multiply(const void* rows, int64_t M, const Matrix& w, int64_t n0, int64_t N, const Epilogue& e, float* y,
                       int64_t stride, void*) noexcept {
    const auto strip = [&]<int P>(int64_t n, int64_t valid) {
      columns<S, P>(static_cast<const char*>(rows), M, w, n0 + n, valid, from_column<S>(e, n), y + n, stride);
    };
    // Few rows are bound by memory: one stream of codes, read once, which prefetchers follow from panel to panel.
    if (M <= few<S>)
      for_strips<S, 1>(N, strip);
    else
      for_strips<S, S::pieces4>(N, strip);
  }

  template <class S>
  static void accumulate(const void* rows, int64_t M, const Matrix& w, int32_t* acc) noexcept {
    const size_t x_bytes = row_bytes<S>(w.K);
    const int64_t subs = w.K / T::sub;
    for (int64_t m = 0; m < M; ++m) {
      const char* const row = static_cast<const char*>(rows) + m * static_cast<int64_t>(x_bytes);
      for (int64_t n = 0; n < w.N; n += S::lanes) {
        for (int64_t g = 0; g < w.K / 32; ++g) {
          unrolled<32 / T::sub>([&]<int s>() {
            const int64_t sub = g * (32 / T::sub) + s;
            typename S::I sums[1][1];
            sub_sums<S, s * quads, 1, 1>(reinterpret_cast<const Act<S>*>(row + values(w.K)) + g * 32, x_bytes,
                                         codes_at(w, n) + n % 16 * 4 + g * Planes::group_bytes, 0,
                                         reinterpret_cast<const int32_t*>(row + starts(w.K)) + sub, x_bytes, sums);
            alignas(64) int32_t lanes[S::lanes];
            S::store_i32(sums[0][0], lanes);
            for (int64_t c = 0; c < S::lanes && n + c < w.N; ++c) acc[(m * w.N + n + c) * subs + sub] = lanes[c];
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
