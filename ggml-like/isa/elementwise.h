// The float kernels between the products: epilogue, layer norm, softmax, attention's small products. Written once for
// every ISA's vocabulary S; see kernels.h for what each computes. All give the same bits on every ISA: each value is a
// fixed sequence of correctly rounded operations, fused where it says fma, and sums have a fixed order (sum16).
#pragma once
#include "isa/functions.h"
#include "kernels.h"
#include "quants/tiles.h"

namespace quern {

template <class S>
struct Elementwise : Functions<S> {
  using F = typename S::F;
  using Functions<S>::capped;
  using Functions<S>::exp;
  static constexpr int L = S::lanes;

  // Calls f(i, load, store) over [0, n): whole vectors, then one padded with `fill`. f maps a vector to a vector.
  template <class Fn>
  static QUERN_INLINE void map(const float* x, float* y, int64_t n, float fill, const Fn& f) {
    int64_t i = 0;
    for (; i + L <= n; i += L) S::store(f(i, S::load(x + i)), y + i);
    if (i < n) {
      alignas(64) float lanes[L];
      for (int j = 0; j < L; ++j) lanes[j] = i + j < n ? x[i + j] : fill;
      S::store(f(i, S::load(lanes)), lanes);
      for (int j = 0; i + j < n; ++j) y[i + j] = lanes[j];
    }
  }

  // Vector i of p, `fill` beyond n.
  static QUERN_INLINE F load_some(const float* p, int64_t i, int64_t n, float fill = 0) {
    if (i + L <= n) return S::load(p + i);
    alignas(64) float lanes[L];
    for (int j = 0; j < L; ++j) lanes[j] = i + j < n ? p[i + j] : fill;
    return S::load(lanes);
  }

  // A sum over 16 lanes, however many a vector has: term i goes to lane i mod 16, and in the end the lanes are added in
  // halves, 0 with 8, then 0 with 4, and so on.
  static constexpr int parts = 16 / L;  // vectors
  static QUERN_INLINE float fold(const F (&part)[parts]) {
    F sums[parts];
    QUERN_UNROLL for (int p = 0; p < parts; ++p) sums[p] = part[p];
    QUERN_UNROLL for (int half = parts / 2; half > 0; half /= 2) {
      QUERN_UNROLL for (int p = 0; p < half; ++p) sums[p] = S::add(sums[p], sums[p + half]);
    }
    return S::fold(sums[0]);
  }
  // f(sum, i) adds vector i of n terms to a vector of sums; terms beyond n must be zero.
  template <class Fn>
  static QUERN_INLINE float sum16(int64_t n, const Fn& f) {
    F part[parts];
    QUERN_UNROLL for (int p = 0; p < parts; ++p) part[p] = S::zero();
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
      QUERN_UNROLL for (int p = 0; p < parts; ++p) part[p] = f(part[p], i + p * L);
    }
    if (i < n) {
      QUERN_UNROLL for (int p = 0; p < parts; ++p) {
        if (i + p * L < n) part[p] = f(part[p], i + p * L);
      }
    }
    return fold(part);
  }

  // Vector i of p, as far as it lies below n.
  static QUERN_INLINE void store_some(F v, float* p, int64_t i, int64_t n) {
    if (i + L <= n) return S::store(v, p + i);
    alignas(64) float lanes[L];
    S::store(v, lanes);
    for (int j = 0; i + j < n; ++j) p[i + j] = lanes[j];
  }

  static float exp1(float x) noexcept {
    alignas(64) float lanes[L];
    S::store(exp(S::set1(x)), lanes);
    return lanes[0];
  }

  template <Activation A>
  static void rows(float* y, int64_t M, int64_t N, int64_t stride, const Epilogue& e) {
    for (int64_t m = 0; m < M; ++m) {
      float* row = y + m * stride;
      const float* residual = e.residual ? e.residual + m * e.residual_stride : nullptr;
      map(row, row, N, 0.0f, [&](int64_t i, F v) {
        if (e.bias) v = S::add(v, load_some(e.bias, i, N));
        v = Functions<S>::template activate<A>(v);
        return residual ? S::add(v, load_some(residual, i, N)) : v;
      });
    }
  }

  // f.template operator()<A>() for the activation's own A.
  template <class Fn>
  static QUERN_INLINE void with_activation(Activation activation, const Fn& f) {
    switch (activation) {
      case Activation::none:
        return f.template operator()<Activation::none>();
      case Activation::gelu:
        return f.template operator()<Activation::gelu>();
      case Activation::gelu_tanh:
        return f.template operator()<Activation::gelu_tanh>();
      case Activation::relu:
        return f.template operator()<Activation::relu>();
      case Activation::silu:
        return f.template operator()<Activation::silu>();
      case Activation::tanh:
        return f.template operator()<Activation::tanh>();
      case Activation::sigmoid:
        return f.template operator()<Activation::sigmoid>();
    }
  }

  static void epilogue(float* y, int64_t M, int64_t N, int64_t stride, const Epilogue& e) noexcept {
    if (e.activation == Activation::none && !e.bias && !e.residual) return;
    with_activation(e.activation, [&]<Activation A>() { rows<A>(y, M, N, stride, e); });
  }

  static void gate(const float* gate, const float* up, Activation activation, int64_t n, float* out) noexcept {
    with_activation(activation, [&]<Activation A>() {
      map(gate, out, n, 0.0f,
          [&](int64_t i, F v) { return S::mul(Functions<S>::template activate<A>(v), load_some(up, i, n)); });
    });
  }

  static void rotate(float* x, const float* cos, const float* sin, int64_t half) noexcept {
    for (int64_t i = 0; i < half; i += L) {
      const F a = load_some(x, i, half), b = load_some(x + half, i, half);
      const F c = load_some(cos, i, half), s = load_some(sin, i, half);
      store_some(S::sub(S::mul(a, c), S::mul(b, s)), x, i, half);
      store_some(S::add(S::mul(b, c), S::mul(a, s)), x + half, i, half);
    }
  }

  static void rotate_pairs(float* x, const float* cos, const float* sin, int64_t half) noexcept {
    for (int64_t i = 0; i < half; ++i) {
      const float a = x[2 * i], b = x[2 * i + 1];
      x[2 * i] = a * cos[i] - b * sin[i];
      x[2 * i + 1] = b * cos[i] + a * sin[i];
    }
  }

  static void layer_norm(const float* x, const float* weight, const float* bias, float eps, int64_t D,
                         float* out) noexcept {
    const float mean =
        sum16(D, [&](F sum, int64_t i) { return S::add(sum, load_some(x, i, D)); }) / static_cast<float>(D);
    const F center = S::set1(mean);
    const float variance = sum16(D, [&](F sum, int64_t i) {
      const F d = S::sub(load_some(x, i, D, mean), center);
      return S::fma(d, d, sum);
    });
    const float factor = 1.0f / __builtin_sqrtf(variance / static_cast<float>(D) + eps);
    const F scale = S::set1(factor);
    map(x, out, D, 0.0f, [&](int64_t at, F v) {
      const F normed = S::mul(S::mul(S::sub(v, center), scale), load_some(weight, at, D));
      return bias ? S::add(normed, load_some(bias, at, D)) : normed;
    });
  }

  static void rms_norm(const float* x, const float* weight, float eps, int64_t D, float* out) noexcept {
    const float squares = sum16(D, [&](F sum, int64_t i) {
      const F v = load_some(x, i, D);
      return S::fma(v, v, sum);
    });
    const F scale = S::set1(1.0f / __builtin_sqrtf(squares / static_cast<float>(D) + eps));
    map(x, out, D, 0.0f, [&](int64_t i, F v) { return S::mul(S::mul(v, scale), load_some(weight, i, D)); });
  }

  static float softmax(float* x, int64_t n, float scale) noexcept {
    float top = x[0];
    F tops = S::set1(top);
    int64_t i = 0;
    for (; i + L <= n; i += L) tops = S::max(tops, S::load(x + i));
    for (; i < n; ++i) top = x[i] > top ? x[i] : top;
    top = top > S::max_lane(tops) ? top : S::max_lane(tops);
    const F highest = S::set1(top), factor = S::set1(scale);
    return sum16(n, [&](F sum, int64_t at) {  // padding lanes become exp(-inf) = 0
      const F e = exp(S::mul(S::sub(load_some(x, at, n, -__builtin_inff()), highest), factor));
      store_some(e, x, at, n);
      return S::add(sum, e);
    });
  }

  static void softcap(float* x, int64_t n, float cap) noexcept {
    map(x, x, n, 0.0f, [&](int64_t, F v) { return capped(v, cap); });
  }

  template <int R, int C>
  static QUERN_INLINE void gemm_tile(int64_t K, const float* A, int64_t lda, const float* B, int64_t ldb, float* C_,
                                     int64_t ldc) {
    F acc[R][C];
    QUERN_UNROLL for (int r = 0; r < R; ++r) {
      QUERN_UNROLL for (int c = 0; c < C; ++c) acc[r][c] = S::zero();
    }
    for (int64_t k = 0; k < K; ++k) {
      F b[C];
      QUERN_UNROLL for (int c = 0; c < C; ++c) b[c] = S::load(B + k * ldb + c * L);
      QUERN_UNROLL for (int r = 0; r < R; ++r) {
        const F a = S::set1(A[r * lda + k]);
        QUERN_UNROLL for (int c = 0; c < C; ++c) acc[r][c] = S::fma(a, b[c], acc[r][c]);
      }
    }
    QUERN_UNROLL for (int r = 0; r < R; ++r) {
      QUERN_UNROLL for (int c = 0; c < C; ++c) S::store(acc[r][c], C_ + r * ldc + c * L);
    }
  }

  static void gemm(int64_t M, int64_t N, int64_t K, const float* A, int64_t lda, const float* B, int64_t ldb, float* C,
                   int64_t ldc) noexcept {
    int64_t n = 0;
    for (; n + S::gemm_cols * L <= N; n += S::gemm_cols * L)
      for_tiles<S::gemm_rows>(M, [&]<int R>(int64_t m) {
        gemm_tile<R, S::gemm_cols>(K, A + m * lda, lda, B + n, ldb, C + m * ldc + n, ldc);
      });
    for (; n + L <= N; n += L)
      for_tiles<S::gemm_rows>(
          M, [&]<int R>(int64_t m) { gemm_tile<R, 1>(K, A + m * lda, lda, B + n, ldb, C + m * ldc + n, ldc); });
    for (; n < N; ++n) {  // the same chain of fused multiply-adds, one column at a time
      for (int64_t m = 0; m < M; ++m) {
        float total = 0;
        for (int64_t k = 0; k < K; ++k) total = S::fma1(A[m * lda + k], B[k * ldb + n], total);
        C[m * ldc + n] = total;
      }
    }
  }

  static void axpy(float a, const float* x, float* y, int64_t n) noexcept {
    const F factor = S::set1(a);
    map(y, y, n, 0.0f, [&](int64_t i, F v) { return S::fma(factor, load_some(x, i, n), v); });
  }

  static void range(const float* x, const float* factors, int64_t n, float* low, float* high) noexcept {
    S::range(x, factors, n, *low, *high);
  }

  static float dot(const float* x, const float* y, int64_t n) noexcept {
    return sum16(n, [&](F sum, int64_t i) { return S::fma(load_some(x, i, n), load_some(y, i, n), sum); });
  }
};

}  // namespace quern
