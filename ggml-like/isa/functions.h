// The functions of one value that kernels share, over any vocabulary S: the CPU's (isa/kernel_table.h) and one lane of
// a GPU's (cuda/lane.h). Each is a fixed sequence of correctly rounded operations, fused where it says fma, so that all
// give the same bits. C++17, which a GPU's compiler reads too.
#pragma once
#include "kernels.h"
#include "quants/tiles.h"

namespace quern {

template <class S>
struct Functions {
  using F = typename S::F;

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

  // 2^x for x <= 0, relative error 3e-6; tests/reference/fit_exp2.py.
  static QUERN_INLINE F exp2(F x) {
    constexpr float C[] = {0.9999992847442627f, 0.6931217908859253f, 0.240247443318367f, 0.05591785907745361f,
                           0.009570101276040077f};
    x = S::max(x, S::set1(-126.0f));
    const auto n = S::round_i32(x);
    const F power = S::from_bits(S::shift_left(S::add_i32(n, S::set1_i32(127)), 23));
    return S::mul(polynomial(C, S::sub(x, S::to_float(n))), power);
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
};

}  // namespace quern
