// What the GGUF block types q8_0 and q4_0 share: 32 weights with one f16 scale. Activations become blocks of 32 s8 with
// one f32 scale (amax / 127). Sums inside a block are exact: 32 · 128 · 127 < 2^31. Included by ISA-flagged files only.
#pragma once
#include "quants/half.h"
#include "quants/row_kernels.h"

namespace quern {

struct BlockActivation {
  float scale;
  int8_t q[32];
};
static_assert(sizeof(BlockActivation) == 36);

// D::Block has `uint16_t scale`; D::unpack<S>(block) gives its 32 integers as S::I8x32.
template <class D>
struct BlockRows {
  template <class S>
  struct Values {
    typename S::I8x32 q;
    float scale;
  };
  static constexpr bool has_tail = false;
  template <class S>
  static constexpr int chunk = 32;
  template <class S>
  using W = Values<S>;

  template <class S>
  static size_t row_bytes(int64_t K) noexcept {
    return static_cast<size_t>(round_up(K / 32 * static_cast<int64_t>(sizeof(BlockActivation)), 64));
  }

  template <class S>
  static void prepare(const float* x, const float* smooth, int64_t K, void* row) noexcept {
    BlockActivation* out = static_cast<BlockActivation*>(row);
    for (int64_t b = 0; b < K / 32; ++b) {
      float v[32], amax = 0;
      for (int i = 0; i < 32; ++i) {
        v[i] = smooth ? x[b * 32 + i] * smooth[b * 32 + i] : x[b * 32 + i];
        const float a = v[i] < 0 ? -v[i] : v[i];
        amax = a > amax ? a : amax;
      }
      const float inverse = amax > 0 ? 127.0f / amax : 0.0f;
      out[b].scale = amax / 127.0f;
      for (int i = 0; i < 32; ++i) out[b].q[i] = static_cast<int8_t>(__builtin_rintf(v[i] * inverse));
    }
  }

  template <class S>
  static QUERN_INLINE Values<S> load_x(const char* x, int64_t k) {
    const BlockActivation& b = reinterpret_cast<const BlockActivation*>(x)[k / 32];
    return {S::load_i8x32(b.q), b.scale};
  }
  template <class S>
  static QUERN_INLINE Values<S> load_w(const char* w, int64_t k) {
    const char* block = w + k / 32 * D::block_bytes;
    uint16_t scale;
    __builtin_memcpy(&scale, block, 2);
    return {D::template unpack<S>(block + 2), S::f16(scale)};
  }
  template <class S>
  static QUERN_INLINE void step(typename S::F& acc, const Values<S>& x, const Values<S>& w) {
    acc = S::fma(S::to_float(S::dot_i8x32(w.q, x.q)), S::set1(x.scale * w.scale), acc);
  }
  template <class S>
  static void accumulate(const void* rows, int64_t M, const Matrix& w, int32_t* acc) noexcept {
    const size_t x_bytes = row_bytes<S>(w.K), w_bytes = D::info.arrays[0].bytes(1, w.K);
    for (int64_t m = 0; m < M; ++m) {
      for (int64_t n = 0; n < w.N; ++n) {
        for (int64_t k = 0; k < w.K; k += 32) {
          const auto x = load_x<S>(static_cast<const char*>(rows) + m * x_bytes, k);
          const auto v = load_w<S>(static_cast<const char*>(w.arrays[0]) + n * w_bytes, k);
          *acc++ = S::sum_i32(S::dot_i8x32(v.q, x.q));
        }
      }
    }
  }

  template <class S>
  static constexpr TypeKernels kernels() {
    return {row_bytes<S>, prepare<S>, RowKernels<S, D>::multiply, nullptr, accumulate<S>};
  }
};

}  // namespace quern
