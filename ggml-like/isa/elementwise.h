// The float kernels between the products: epilogue, layer norm, softmax, attention's small products. Written once for
// every ISA's vocabulary S; see kernels.h for what each computes. All give the same bits on every ISA: each value is a
// fixed sequence of correctly rounded operations, fused where it says fma, and sums have a fixed order (sum16).
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
    const F limit = S::set1(3.93f), c = S::max(S::sub(S::zero(), limit), S::min(limit, x));
    const F t = S::mul(c, c);
    return S::div(S::mul(c, polynomial(P, t)), polynomial(Q, t));
  }

  // e^x = 2^n · e^r with |r| <= ln 2 / 2; relative error below 8e-8 (tests/reference/fit_exp.py). Zero below -87.7,
  // 2.4e38 above 88.37; what is no number stays none: min and max give their second argument then.
  static QUERN_INLINE F exp(F x) {
    constexpr float C[] = {1.0f, 1.0f, 0.49999994f, 0.16666521f, 0.04166839f, 0.00836871f, 0.0013814613f};
    x = S::min(S::set1(88.37f), S::max(S::set1(-88.0f), x));
    const auto n = S::round_i32(S::mul(x, S::set1(1.44269504f)));
    const F steps = S::to_float(n);
    const F r = S::fma(steps, S::set1(2.12194440e-4f), S::fma(steps, S::set1(-0.693359375f), x));
    return S::mul(polynomial(C, r), S::from_bits(S::shift_left(S::add_i32(n, S::set1_i32(127)), 23)));
  }
  static float exp1(float x) noexcept {
    alignas(64) float lanes[L];
    S::store(exp(S::set1(x)), lanes);
    return lanes[0];
  }

  // tanh by a rational minimax fit in x² on [-8.3, 8.3], relative error below 3.5e-7 (tests/reference/fit_tanh.py). At
  // 8.85 the fit is above 1, so that from there on it is 1 exactly.
  static QUERN_INLINE F tanh(F x) {
    constexpr float P[] = {1.0f, 0.1342587f, 0.0035491688f, 2.1508489e-05f, 1.4648252e-08f};
    constexpr float Q[] = {1.0f, 0.46759194f, 0.026079949f, 0.000337395f, 8.2951055e-07f};
    const F limit = S::set1(8.85f), one = S::set1(1.0f);
    const F c = S::max(S::sub(S::zero(), limit), S::min(limit, x));
    const F t = S::mul(c, c);
    const F y = S::div(S::mul(c, polynomial(P, t)), polynomial(Q, t));
    return S::max(S::sub(S::zero(), one), S::min(one, y));
  }

  template <Activation A>
  static QUERN_INLINE F activate(F x) {
    const F half = S::set1(0.5f), one = S::set1(1.0f);
    if constexpr (A == Activation::gelu)
      return S::mul(S::mul(half, x), S::add(one, erf(S::mul(x, S::set1(0.70710678118654752f)))));
    if constexpr (A == Activation::gelu_tanh) {
      const F cubic = S::mul(S::mul(x, x), x);
      const F inner = S::mul(S::set1(0.7978845608028654f), S::fma(S::set1(0.044715f), cubic, x));
      return S::mul(S::mul(half, x), S::add(one, tanh(inner)));
    }
    if constexpr (A == Activation::relu) return S::max(x, S::zero());
    if constexpr (A == Activation::silu) return S::div(x, S::add(one, exp(S::sub(S::zero(), x))));
    if constexpr (A == Activation::tanh) return tanh(x);
    if constexpr (A == Activation::sigmoid) return S::div(one, S::add(one, exp(S::sub(S::zero(), x))));
    return x;
  }

  // cap · tanh(x / cap)
  static QUERN_INLINE F capped(F x, float cap) { return S::mul(S::set1(cap), tanh(S::mul(x, S::set1(1.0f / cap)))); }

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
