// The float kernels between the products: epilogue, layer norm, softmax, attention's small products. Written once for
// every ISA's vocabulary S; see kernels.h for what each computes.
#pragma once
#include "kernels.h"
#include "quants/tiles.h"

namespace quern {

template <class S>
struct Elementwise {
  using F = typename S::F;
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

  // Vector i of p, zero beyond n.
  static QUERN_INLINE F load_some(const float* p, int64_t i, int64_t n) {
    if (i + L <= n) return S::load(p + i);
    alignas(64) float lanes[L] = {};
    for (int j = 0; i + j < n; ++j) lanes[j] = p[i + j];
    return S::load(lanes);
  }

  // Vector i of p, as far as it lies below n.
  static QUERN_INLINE void store_some(F v, float* p, int64_t i, int64_t n) {
    if (i + L <= n) return S::store(v, p + i);
    alignas(64) float lanes[L];
    S::store(v, lanes);
    for (int j = 0; i + j < n; ++j) p[i + j] = lanes[j];
  }

  template <int N>
  static QUERN_INLINE F polynomial(const float (&coefficients)[N], F t) {
    F v = S::set1(coefficients[N - 1]);
    QUERN_UNROLL for (int i = N - 2; i >= 0; --i) v = S::fma(v, t, S::set1(coefficients[i]));
    return v;
  }

  // erf by a rational minimax fit in x² on [-3.93, 3.93], beyond which it is 1 in f32; |error| < 4e-7. Made by
  // tests/reference/fit_erf.py. A third of the time of xsimd's, which evaluates two ranges.
  static QUERN_INLINE F erf(F x) {
    constexpr float P[] = {1.128379f, 0.19318305f, 0.053108517f, 0.0038844189f, 0.0002875083f, 2.0270077e-06f};
    constexpr float Q[] = {1.0f, 0.5045356f, 0.11525115f, 0.015204601f, 0.0011914095f, 3.7992464e-05f};
    const F limit = S::set1(3.93f), c = S::max(S::min(x, limit), S::sub(S::zero(), limit));
    const F t = S::mul(c, c);
    return S::div(S::mul(c, polynomial(P, t)), polynomial(Q, t));
  }

  template <Activation A>
  static QUERN_INLINE F activate(F x) {
    const F half = S::set1(0.5f), one = S::set1(1.0f);
    if constexpr (A == Activation::gelu)
      return S::mul(S::mul(half, x), S::add(one, erf(S::mul(x, S::set1(0.70710678118654752f)))));
    if constexpr (A == Activation::gelu_tanh) {
      const F cubic = S::mul(S::mul(x, x), x);
      const F inner = S::mul(S::set1(0.7978845608028654f), S::fma(S::set1(0.044715f), cubic, x));
      return S::mul(S::mul(half, x), S::add(one, S::tanh(inner)));
    }
    if constexpr (A == Activation::relu) return S::max(x, S::zero());
    if constexpr (A == Activation::silu) return S::div(x, S::add(one, S::exp(S::sub(S::zero(), x))));
    if constexpr (A == Activation::tanh) return S::tanh(x);
    if constexpr (A == Activation::sigmoid) return S::div(one, S::add(one, S::exp(S::sub(S::zero(), x))));
    return x;
  }

  // cap · tanh(x / cap)
  static QUERN_INLINE F capped(F x, float cap) { return S::mul(S::set1(cap), S::tanh(S::mul(x, S::set1(1.0f / cap)))); }

  template <Activation A>
  static void rows(float* y, int64_t M, int64_t N, int64_t stride, const Epilogue& e) {
    for (int64_t m = 0; m < M; ++m) {
      float* row = y + m * stride;
      const float* residual = e.residual ? e.residual + m * e.residual_stride : nullptr;
      map(row, row, N, 0.0f, [&](int64_t i, F v) {
        if (e.bias) v = S::add(v, load_some(e.bias, i, N));
        v = activate<A>(v);
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
      map(gate, out, n, 0.0f, [&](int64_t i, F v) { return S::mul(activate<A>(v), load_some(up, i, n)); });
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
    F total = S::zero();
    for (int64_t i = 0; i < D; i += L) total = S::add(total, load_some(x, i, D));
    const float mean = S::sum(total) / static_cast<float>(D);
    F squares = S::zero();
    const F center = S::set1(mean);
    int64_t i = 0;
    for (; i + L <= D; i += L) {
      const F d = S::sub(S::load(x + i), center);
      squares = S::fma(d, d, squares);
    }
    float variance = S::sum(squares);
    for (; i < D; ++i) variance += (x[i] - mean) * (x[i] - mean);
    const float factor = 1.0f / __builtin_sqrtf(variance / static_cast<float>(D) + eps);
    const F scale = S::set1(factor);
    map(x, out, D, 0.0f, [&](int64_t at, F v) {
      const F normed = S::mul(S::mul(S::sub(v, center), scale), load_some(weight, at, D));
      return bias ? S::add(normed, load_some(bias, at, D)) : normed;
    });
  }

  static void rms_norm(const float* x, const float* weight, float eps, int64_t D, float* out) noexcept {
    F squares = S::zero();
    for (int64_t i = 0; i < D; i += L) {
      const F v = load_some(x, i, D);
      squares = S::fma(v, v, squares);
    }
    const F scale = S::set1(1.0f / __builtin_sqrtf(S::sum(squares) / static_cast<float>(D) + eps));
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
    F total = S::zero();
    // Padding lanes become exp(-inf) = 0, which adds nothing.
    map(x, x, n, -__builtin_inff(), [&](int64_t, F v) {
      const F e = S::exp(S::mul(S::sub(v, highest), factor));
      total = S::add(total, e);
      return e;
    });
    return S::sum(total);
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

  static float dot(const float* x, const float* y, int64_t n) noexcept {
    F total = S::zero();
    for (int64_t i = 0; i < n; i += L) total = S::fma(load_some(x, i, n), load_some(y, i, n), total);
    return S::sum(total);
  }
};

}  // namespace quern
