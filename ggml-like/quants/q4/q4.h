// q4: 4-bit weights in groups of 32 along K, w = s[g] · (q - z[g]) with an f16 scale and an integer zero point per
// group and output; activations quantized to s8 per token, x = sx · (v - zx). So
//   y = sx · sum_g s[g] · (sum_k q v - z[g] · sum_k v)  -  sx · zx · sum_k w,
// whose inner sums are exact: |sum over a group| <= 32 · 15 · 128, and eight products fit int16 (8 · 2 · 15 · 128 <
// 2^15).
//
// Panels of 16 outputs as in q8, two steps of four k in one 64-byte line: low nibbles k..k+3, high nibbles k+4..k+7.
// Arrays: q4 [N/16][K/8][64], q4.scale f16 and q4.zero u8 [N/16][K/32][16], q4.sum f32[N] = sum_k w. 4.75 bits a
// weight.
#pragma once
#include "isa/encode.h"
#include "isa/finish.h"
#include "kernels.h"
#include "quants/tiles.h"
#include "quants/type_info.h"

namespace quern {

struct Q4 {
  static const TypeInfo info;
  static constexpr int group = 32;

  // A prepared row: this header, int32 sum of v for each group, then K activations v as s8 (64-byte aligned).
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
    int32_t* sum = reinterpret_cast<int32_t*>(static_cast<char*>(row) + sizeof(Header));
    int8_t* out = reinterpret_cast<int8_t*>(sum) + sums_bytes(K);
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
      sum[g] = total;
    }
  }

  // The integer sums of group g for R rows and P pieces of S::lanes outputs.
  template <class S, int R, int P>
  static QUERN_INLINE void group_sums(const char* x, size_t x_bytes, const uint8_t* w, const uint8_t* zero, int64_t K,
                                      int64_t g, typename S::I (&out)[R][P]) {
    typename S::Acc4 acc[R][P];
    QUERN_UNROLL for (int r = 0; r < R; ++r) {
      QUERN_UNROLL for (int p = 0; p < P; ++p) acc[r][p] = S::zero4();
    }
    const char* a = x + sizeof(Header) + sums_bytes(K) + g * group;
    QUERN_UNROLL for (int step = 0; step < group / 8; ++step) {
      typename S::W4 even[P], odd[P];
      QUERN_UNROLL for (int p = 0; p < P; ++p) {
        const auto both =
            S::load_codes(w + p * S::lanes / 16 * K * 8 + p * S::lanes % 16 * 4 + (g * (group / 8) + step) * 64);
        even[p] = S::template field<0, 4, 0>(both);
        odd[p] = S::template field<4, 4, 0>(both);
      }
      QUERN_UNROLL for (int r = 0; r < R; ++r) {
        const auto first = S::broadcast4(reinterpret_cast<const int8_t*>(a + r * x_bytes) + step * 8);
        const auto second = S::broadcast4(reinterpret_cast<const int8_t*>(a + r * x_bytes) + step * 8 + 4);
        QUERN_UNROLL for (int p = 0; p < P; ++p) acc[r][p] =
            S::dot4(S::dot4(acc[r][p], even[p], first), odd[p], second);
      }
    }
    QUERN_UNROLL for (int p = 0; p < P; ++p) {
      const auto z = S::load_u8(zero + p * S::lanes / 16 * K / group * 16 + p * S::lanes % 16 + g * 16);
      QUERN_UNROLL for (int r = 0; r < R; ++r) {
        const int32_t total = reinterpret_cast<const int32_t*>(x + r * x_bytes + sizeof(Header))[g];
        out[r][p] = S::sub_i32(S::sums4(acc[r][p]), S::mul_i32(z, S::set1_i32(total)));
      }
    }
  }

  // M rows × P vectors of outputs from n on, of which `valid` are real. y and e begin there.
  template <class S, int P>
  static void columns(const char* x, int64_t M, const Matrix& w, int64_t n, int64_t valid, const Epilogue& e, float* y,
                      int64_t stride) {
    const size_t x_bytes = row_bytes<S>(w.K);
    const int64_t first = n / 16 * 16, lane = n % 16;  // P > 1 only where lane is 0
    const uint8_t* panel = static_cast<const uint8_t*>(w.arrays[0]) + first * w.K / 2 + lane * 4;
    const uint16_t* scale = static_cast<const uint16_t*>(w.arrays[1]) + first * (w.K / group) + lane;
    const uint8_t* zero = static_cast<const uint8_t*>(w.arrays[2]) + first * (w.K / group) + lane;
    const float* sum = static_cast<const float*>(w.arrays[3]) + n;
    for_tiles<S::rows4>(M, [&]<int R>(int64_t m) {
      typename S::F acc[R][P];
      QUERN_UNROLL for (int r = 0; r < R; ++r) {
        QUERN_UNROLL for (int p = 0; p < P; ++p) acc[r][p] = S::zero();
      }
      for (int64_t g = 0; g < w.K / group; ++g) {
        typename S::I sums[R][P];
        group_sums<S, R, P>(x + m * x_bytes, x_bytes, panel, zero, w.K, g, sums);
        QUERN_UNROLL for (int p = 0; p < P; ++p) {
          const auto s = S::load_f16(scale + p * S::lanes / 16 * w.K / group * 16 + p * S::lanes % 16 + g * 16);
          QUERN_UNROLL for (int r = 0; r < R; ++r) acc[r][p] = S::fma(S::to_float(sums[r][p]), s, acc[r][p]);
        }
      }
      QUERN_UNROLL for (int p = 0; p < P; ++p) {
        const auto totals = S::load(sum + p * S::lanes), bias = bias_of<S>(e, p, valid);
        QUERN_UNROLL for (int r = 0; r < R; ++r) {
          const Header& head = *reinterpret_cast<const Header*>(x + (m + r) * x_bytes);
          acc[r][p] = S::fma(S::set1(head.scale), acc[r][p], S::fma(S::set1(head.offset), totals, bias));
        }
      }
      finish_tile<S>(acc, valid, e, m, y, stride);
    });
  }

  template <class S>
  static void multiply(const void* rows, int64_t M, const Matrix& w, int64_t n0, int64_t N, const Epilogue& e, float* y,
                       int64_t stride, void*) noexcept {
    for_strips<S, S::pieces4>(N, [&]<int P>(int64_t n, int64_t valid) {
      columns<S, P>(static_cast<const char*>(rows), M, w, n0 + n, valid, from_column<S>(e, n), y + n, stride);
    });
  }

  template <class S>
  static void accumulate(const void* rows, int64_t M, const Matrix& w, int32_t* acc) noexcept {
    const size_t x_bytes = row_bytes<S>(w.K);
    const int64_t groups = w.K / group;
    for (int64_t m = 0; m < M; ++m) {
      for (int64_t n = 0; n < w.N; n += S::lanes) {
        const int64_t panel = n / 16 * 16, lane = n % 16;
        for (int64_t g = 0; g < groups; ++g) {
          typename S::I sums[1][1];
          group_sums<S, 1, 1>(static_cast<const char*>(rows) + m * x_bytes, x_bytes,
                              static_cast<const uint8_t*>(w.arrays[0]) + panel * w.K / 2 + lane * 4,
                              static_cast<const uint8_t*>(w.arrays[2]) + panel * groups + lane, w.K, g, sums);
          alignas(64) int32_t lanes[S::lanes];
          S::store_i32(sums[0][0], lanes);
          for (int64_t c = 0; c < S::lanes && n + c < w.N; ++c) acc[(m * w.N + n + c) * groups + g] = lanes[c];
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
