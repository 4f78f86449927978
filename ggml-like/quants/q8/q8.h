// q8: int8 weights with one scale per output, activations quantized to u8 per token with a zero point. The inner loop
// has no scales: y = sx · sw[n] · sum_k (u_k - zero) · q[n][k], exact in int32 for K up to 65,536 (255 · 128 · K <
// 2^31).
//
// Panels of 16 outputs: weights lie as [N/16][K/4][16 outputs][4 k], one 64-byte step for every four k (a zmm, four
// NEON registers); N is padded to 16 and K to 4 with zeros. Arrays: q8 (panels), q8.scale f32[N], q8.sum i32[N] = sum_k
// q.
#pragma once
#include "kernels.h"
#include "quants/tiles.h"
#include "quants/type_info.h"

namespace quern {

struct Q8 {
  static const TypeInfo info;
  static constexpr int64_t padded(int64_t K) { return round_up(K, 4); }

  // A prepared row: this header, then K activations as S::Act8 = u - offset, where the ISA chooses the offset.
  struct Header {
    float scale;
    int32_t shift;  // zero point - offset
    char pad[56];
  };
  static_assert(sizeof(Header) == 64);

  template <class S>
  static size_t row_bytes(int64_t K) noexcept {
    return sizeof(Header) +
           static_cast<size_t>(round_up(padded(K) * static_cast<int64_t>(sizeof(typename S::Act8)), 64));
  }

  template <class S>
  static void prepare(const float* x, const float* smooth, int64_t K, void* row) noexcept {
    Header& head = *static_cast<Header*>(row);
    auto* out = reinterpret_cast<typename S::Act8*>(static_cast<char*>(row) + sizeof(Header));
    float low, high;
    S::range(x, smooth, K, low, high);
    const float scale = (high - low) / 255.0f, inverse = scale > 0 ? 1.0f / scale : 0.0f;
    const int zero = static_cast<int>(__builtin_rintf(-low * inverse));
    const int offset = S::act8_centered ? zero : S::act8_offset;
    head.scale = scale;
    head.shift = zero - offset;
    const auto code = [=](float v) {
      int u = static_cast<int>(__builtin_rintf(v * inverse)) + zero;
      u = u < 0 ? 0 : u;
      u = u > 255 ? 255 : u;
      return static_cast<typename S::Act8>(u - offset);
    };
    if (smooth)
      for (int64_t k = 0; k < K; ++k) out[k] = code(x[k] * smooth[k]);
    else
      for (int64_t k = 0; k < K; ++k) out[k] = code(x[k]);
    for (int64_t k = K; k < padded(K); ++k) out[k] = 0;  // meets weights of zero
  }

  // Sums of R rows and P pieces of S::cols8 outputs: acc[r][P * cols8], raw (not yet shifted).
  template <class S, int R, int P>
  static QUERN_INLINE void sums(const char* x, size_t x_bytes, const int8_t* w, int64_t Kp, int32_t* out) {
    const typename S::Act8* a[R];
    QUERN_UNROLL for (int r = 0; r < R; ++r) a[r] =
        reinterpret_cast<const typename S::Act8*>(x + r * x_bytes + sizeof(Header));
    const int8_t* piece[P];
    QUERN_UNROLL for (int p = 0; p < P; ++p) piece[p] = w + p * S::cols8 / 16 * Kp * 16 + p * S::cols8 % 16 * 4;
    typename S::Acc8 acc[R][P];
    QUERN_UNROLL for (int r = 0; r < R; ++r) {
      QUERN_UNROLL for (int p = 0; p < P; ++p) acc[r][p] = S::zero8();
    }
    for (int64_t k = 0; k < Kp; k += 4) {
      typename S::A8 values[R];
      QUERN_UNROLL for (int r = 0; r < R; ++r) values[r] = S::broadcast8(a[r] + k);
      QUERN_UNROLL for (int p = 0; p < P; ++p) {
        const auto weights = S::load_w8(piece[p] + k * 16);
        QUERN_UNROLL for (int r = 0; r < R; ++r) acc[r][p] = S::dot8(acc[r][p], values[r], weights);
      }
    }
    QUERN_UNROLL for (int r = 0; r < R; ++r) {
      QUERN_UNROLL for (int p = 0; p < P; ++p) S::store8(acc[r][p], out + (r * P + p) * S::cols8);
    }
  }

  template <class S, int P>
  static void columns(const char* x, int64_t M, const Matrix& w, int64_t n, int64_t valid, float* y, int64_t stride) {
    constexpr int cols = P * S::cols8;
    const size_t x_bytes = row_bytes<S>(w.K);
    const int64_t Kp = padded(w.K);
    const int8_t* panel = static_cast<const int8_t*>(w.arrays[0]) + n * Kp;
    const float* scale = static_cast<const float*>(w.arrays[1]) + n;
    const int32_t* sum = static_cast<const int32_t*>(w.arrays[2]) + n;
    for_tiles<S::rows8>(M, [&]<int R>(int64_t m) {
      alignas(64) int32_t acc[R * cols];
      sums<S, R, P>(x + m * x_bytes, x_bytes, panel, Kp, acc);
      for (int r = 0; r < R; ++r) {
        const Header& head = *reinterpret_cast<const Header*>(x + (m + r) * x_bytes);
        float* out = y + (m + r) * stride;
        const auto value = [&](int c) {
          return static_cast<float>(acc[r * cols + c] - head.shift * sum[c]) * (head.scale * scale[c]);
        };
        if (valid == cols)
          for (int c = 0; c < cols; ++c) out[c] = value(c);
        else
          for (int c = 0; c < valid; ++c) out[c] = value(c);
      }
    });
  }

  template <class S>
  static void multiply(const void* rows, int64_t M, const Matrix& w, int64_t n0, int64_t N, float* y,
                       int64_t stride) noexcept {
    constexpr int64_t wide = S::pieces8 * S::cols8;
    int64_t n = 0;
    for (; n + wide <= N; n += wide)
      columns<S, S::pieces8>(static_cast<const char*>(rows), M, w, n0 + n, wide, y + n, stride);
    for (; n < N; n += 16)
      columns<S, 16 / S::cols8>(static_cast<const char*>(rows), M, w, n0 + n, N - n < 16 ? N - n : 16, y + n, stride);
  }

  template <class S>
  static void accumulate(const void* rows, int64_t M, const Matrix& w, int32_t* acc) noexcept {
    const size_t x_bytes = row_bytes<S>(w.K);
    for (int64_t m = 0; m < M; ++m) {
      const char* x = static_cast<const char*>(rows) + m * x_bytes;
      alignas(64) int32_t panel[16];
      for (int64_t n = 0; n < w.N; ++n) {
        if (n % 16 == 0)
          sums<S, 1, 16 / S::cols8>(x, x_bytes, static_cast<const int8_t*>(w.arrays[0]) + n * padded(w.K), padded(w.K),
                                    panel);
        acc[m * w.N + n] =
            panel[n % 16] - reinterpret_cast<const Header*>(x)->shift * static_cast<const int32_t*>(w.arrays[2])[n];
      }
    }
  }

  template <class S>
  static constexpr TypeKernels kernels() {
    return {row_bytes<S>, prepare<S>, multiply<S>, accumulate<S>};
  }
};

}  // namespace quern
