// Weights of 4 or 5 bits in groups of 32 along K, w = s[g] · (q - z[g]) with an f16 scale and an integer zero point per
// group and output; activations quantized to s8 per token, x = sx · (v - zx). So
//   y = sx · sum_g s[g] · (sum_k q v - z[g] · sum_k v)  -  sx · zx · sum_k w,
// whose inner sums are exact: |sum over a group| <= 32 · 31 · 128. Where products are summed in int16, as many as fit
// are: 2 · largest code · 128 each (two neighbours at once), below 2^15 for eight of 4 bits, four of 5.
//
// Panels of 16 outputs as in q8. Of a group come four 64-byte lines of two steps of four k each, low nibbles k..k+3,
// high nibbles k+4..k+7; of 5 bits, a line behind them whose bytes hold the eight steps' fifth bits as bits 0 … 7.
// Arrays, of a type T: T [N/16][K/32 · lines][64], T.scale f16 and T.zero u8 [N/16][K/32][16], T.sum f32[N] = sum_k w.
#pragma once
#include "isa/encode.h"
#include "isa/finish.h"
#include "kernels.h"
#include "quants/opened_panels.h"
#include "quants/tiles.h"
#include "quants/type_info.h"

namespace quern {

template <int bits>
struct GroupPanels {
  static constexpr int group = 32;
  static constexpr int nibble_lines = 4;
  static constexpr int64_t group_bytes = (nibble_lines + bits - 4) * 64;
  static_assert(bits == 4 || bits == 5);

  // A prepared row: this header, -sum of v for each group as a float, then K activations v as s8 (64-byte aligned).
  struct Header {
    float scale, offset;  // offset = -scale · zx
    char pad[56];
  };
  static_assert(sizeof(Header) == 64);
  static constexpr int64_t sums_bytes(int64_t K) { return round_up(K / group * 4, 64); }

  template <class S>
  static size_t row_bytes(int64_t K) noexcept {
    return sizeof(Header) + static_cast<size_t>(sums_bytes(K) + round_up(K, 64));
  }

  template <class S>
  static void prepare(const float* x, const float* smooth, int64_t K, void* row) noexcept {
    Header& head = *static_cast<Header*>(row);
    float* less = reinterpret_cast<float*>(static_cast<char*>(row) + sizeof(Header));
    int8_t* out = reinterpret_cast<int8_t*>(less) + sums_bytes(K);
    float low, high;
    S::range(x, smooth, K, low, high);
    const float scale = (high - low) / 255.0f, inverse = scale > 0 ? 1.0f / scale : 0.0f;
    const int zero = static_cast<int>(__builtin_rintf(-low * inverse)) - 128;
    head.scale = scale;
    head.offset = -scale * static_cast<float>(zero);
    encode_row<S>(x, smooth, K, inverse, zero, -128, 127, 0, out);
    for (int64_t g = 0; g < K / group; ++g) {
      int32_t total = 0;
      for (int i = 0; i < group; ++i) total += out[g * group + i];
      less[g] = static_cast<float>(-total);
    }
  }

  // Codes of a group as they lie in a panel, from the first of the wanted outputs on.
  template <class S>
  struct PackedCodes {
    const uint8_t* group;
    int64_t panel_bytes;
    template <int q>
    QUERN_INLINE typename S::W4 get(int p) const {
      const uint8_t* const lines = group + p * S::lanes / 16 * panel_bytes + p * S::lanes % 16 * 4;
      const auto low = S::template field<q % 2 * 4, 4, 0>(S::load_codes(lines + q / 2 * 64));
      if constexpr (bits == 4)
        return low;
      else
        return S::or_codes(low, S::template field<q, 1, 4>(S::load_codes(lines + nibble_lines * 64)));
    }
  };

  static QUERN_INLINE const uint8_t* codes_at(const Matrix& w, int64_t n) {
    return static_cast<const uint8_t*>(w.arrays[0]) + n / 16 * (w.K / group) * group_bytes + n % 16 * 4;
  }
  // Where group g of output n has its scale or zero point, in arrays 1 and 2.
  static QUERN_INLINE int64_t group_at(int64_t K, int64_t n, int64_t g) {
    return n / 16 * 16 * (K / group) + g * 16 + n % 16;
  }
  static QUERN_INLINE const uint16_t* scales(const Matrix& w) { return static_cast<const uint16_t*>(w.arrays[1]); }
  static QUERN_INLINE const uint8_t* zeros(const Matrix& w) { return static_cast<const uint8_t*>(w.arrays[2]); }
  static QUERN_INLINE const int8_t* values(const char* row, int64_t K) {
    return reinterpret_cast<const int8_t*>(row + sizeof(Header) + sums_bytes(K));
  }
  static QUERN_INLINE float less(const char* row, int64_t g) {
    return reinterpret_cast<const float*>(row + sizeof(Header))[g];
  }

  // sum q v over group g for R rows x.
  template <class S, int R, int P, class Codes>
  static QUERN_INLINE void group_sums(const Codes& codes, const char* x, int64_t K, int64_t g,
                                      typename S::I (&out)[R][P]) {
    constexpr int fit = 32767 / (2 * 128 * ((1 << bits) - 1)), run = S::wide4 ? group / 4 : fit;
    static_assert(group / 4 % run == 0);
    unrolled<group / 4 / run>([&]<int i>() QUERN_INLINED { add_run<S, i * run, run>(codes, x, K, g, out); });
  }
  // The same of `run` quads from q0 on; the first begin the sums.
  template <class S, int q0, int run, int R, int P, class Codes>
  static QUERN_INLINE void add_run(const Codes& codes, const char* x, int64_t K, int64_t g,
                                   typename S::I (&out)[R][P]) {
    const size_t x_bytes = row_bytes<S>(K);
    typename S::Acc4 acc[R][P];
    const int8_t* const v = values(x, K) + g * group;
    unrolled<run>([&]<int i>() QUERN_INLINED {
      typename S::W4 w[P];
      QUERN_UNROLL for (int p = 0; p < P; ++p) w[p] = codes.template get<q0 + i>(p);
      QUERN_UNROLL for (int r = 0; r < R; ++r) {
        const auto four = S::broadcast4(v + r * x_bytes + (q0 + i) * 4);
        QUERN_UNROLL for (int p = 0; p < P; ++p) acc[r][p] = chain4<S, i == 0>(acc[r][p], w[p], four);
      }
    });
    QUERN_UNROLL for (int r = 0; r < R; ++r) {
      QUERN_UNROLL for (int p = 0; p < P; ++p) {
        const auto sums = S::sums4(acc[r][p]);
        out[r][p] = q0 == 0 ? sums : S::add_i32(out[r][p], sums);
      }
    }
  }

  // acc += s[g] · (sums - z[g] · sum_k v). The bracket is exact in f32 too: below 2^17.
  template <class S>
  static QUERN_INLINE typename S::F plus_group(typename S::F acc, typename S::I sums, typename S::F scale,
                                               typename S::F zero, float less) {
    return S::fma(S::fma(zero, S::set1(less), S::to_float(sums)), scale, acc);
  }

  template <class S, int R, int P>
  static QUERN_INLINE void end(typename S::F (&acc)[R][P], const char* x, const Matrix& w, int64_t n, int64_t valid,
                               const Epilogue& e, int64_t m, float* y, int64_t stride) {
    const float* const sum = static_cast<const float*>(w.arrays[3]) + n;
    QUERN_UNROLL for (int p = 0; p < P; ++p) {
      const auto totals = S::load(sum + p * S::lanes), bias = bias_of<S>(e, p, valid);
      QUERN_UNROLL for (int r = 0; r < R; ++r) {
        const Header& head = *reinterpret_cast<const Header*>(x + r * row_bytes<S>(w.K));
        acc[r][p] = S::fma(S::set1(head.scale), acc[r][p], S::fma(S::set1(head.offset), totals, bias));
      }
    }
    finish_tile<S>(acc, valid, e, m, y, stride);
  }

  // M rows × P vectors of outputs from n on, of which `valid` are real. y and e begin there.
  template <class S, int P>
  static void columns(const char* x, int64_t M, const Matrix& w, int64_t n, int64_t valid, const Epilogue& e, float* y,
                      int64_t stride) {
    const size_t x_bytes = row_bytes<S>(w.K);
    const int64_t K = w.K;
    const uint8_t* const codes = codes_at(w, n);
    const uint16_t* const all_scales = scales(w) + group_at(K, n, 0);  // P > 1 only where n % 16 is 0
    const uint8_t* const all_zeros = zeros(w) + group_at(K, n, 0);
    for_tiles<S::rows4>(M, [&]<int R>(int64_t m) QUERN_INLINED {
      const char* const rows = x + m * x_bytes;
      typename S::F acc[R][P];
      QUERN_UNROLL for (int r = 0; r < R; ++r) {
        QUERN_UNROLL for (int p = 0; p < P; ++p) acc[r][p] = S::zero();
      }
      for (int64_t g = 0; g < K / group; ++g) {
        typename S::I sums[R][P];
        group_sums<S, R, P>(PackedCodes<S>{codes + g * group_bytes, K / group * group_bytes}, rows, K, g, sums);
        QUERN_UNROLL for (int p = 0; p < P; ++p) {
          const int64_t at = group_at(K, p * S::lanes, g);
          const auto scale = S::load_f16(all_scales + at), zero = S::to_float(S::load_u8(all_zeros + at));
          QUERN_UNROLL for (int r = 0; r < R; ++r) acc[r][p] =
              plus_group<S>(acc[r][p], sums[r][p], scale, zero, less(rows + r * x_bytes, g));
        }
      }
      end<S, R, P>(acc, rows, w, n, valid, e, m, y, stride);
    });
  }

  // For OpenedPanels.
  template <class S>
  struct Opened : OpenedCodes<typename S::W4, 16 / S::lanes> {
    typename S::F scale[16 / S::lanes], zero[16 / S::lanes];
  };
  template <class S>
  static QUERN_INLINE void open(const Matrix& w, int64_t n, int64_t g, Opened<S>& to) {
    const PackedCodes<S> packed{codes_at(w, n) + g * group_bytes, 0};
    prefetch_ahead<S>(packed.group, group_bytes);
    QUERN_UNROLL for (int p = 0; p < 16 / S::lanes; ++p) {
      unrolled<group / 4>([&]<int q>() QUERN_INLINED { to.codes[q][p] = packed.template get<q>(p); });
      const int64_t at = group_at(w.K, n + p * S::lanes, g);
      to.scale[p] = S::load_f16(scales(w) + at);
      to.zero[p] = S::to_float(S::load_u8(zeros(w) + at));
    }
  }
  template <class S, int R>
  static QUERN_INLINE void add_group(const Opened<S>& opened, const char* x, int64_t K, int64_t g,
                                     typename S::F (*acc)[16 / S::lanes]) {
    constexpr int P = 16 / S::lanes;
    typename S::I sums[R][P];
    group_sums<S, R, P>(opened, x, K, g, sums);
    QUERN_UNROLL for (int r = 0; r < R; ++r) {
      QUERN_UNROLL for (int p = 0; p < P; ++p) acc[r][p] =
          plus_group<S>(acc[r][p], sums[r][p], opened.scale[p], opened.zero[p], less(x + r * row_bytes<S>(K), g));
    }
  }

  template <class S>
  static void multiply(const void* rows, int64_t M, const Matrix& w, int64_t n0, int64_t N, const Epilogue& e, float* y,
                       int64_t stride, void*) noexcept {
    const char* const x = static_cast<const char*>(rows);
    if constexpr (!S::wide4)
      if (M > S::rows4) return OpenedPanels<S, GroupPanels>::multiply(x, M, w, n0, N, e, y, stride);
    for_strips<S, S::pieces4>(N, [&]<int P>(int64_t n, int64_t valid) {
      columns<S, P>(x, M, w, n0 + n, valid, from_column<S>(e, n), y + n, stride);
    });
  }

  template <class S>
  static void accumulate(const void* rows, int64_t M, const Matrix& w, int32_t* acc) noexcept {
    const int64_t groups = w.K / group;
    for (int64_t m = 0; m < M; ++m) {
      const char* const row = static_cast<const char*>(rows) + m * static_cast<int64_t>(row_bytes<S>(w.K));
      for (int64_t n = 0; n < w.N; n += S::lanes) {
        for (int64_t g = 0; g < groups; ++g) {
          typename S::I sums[1][1];
          group_sums<S, 1, 1>(PackedCodes<S>{codes_at(w, n) + g * group_bytes, 0}, row, w.K, g, sums);
          alignas(64) int32_t lanes[S::lanes];
          S::store_i32(sums[0][0], lanes);
          for (int64_t c = 0; c < S::lanes && n + c < w.N; ++c)
            acc[(m * w.N + n + c) * groups + g] =
                lanes[c] + zeros(w)[group_at(w.K, n + c, g)] * static_cast<int32_t>(less(row, g));
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
