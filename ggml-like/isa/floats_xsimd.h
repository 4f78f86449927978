// The float part of a vocabulary, from xsimd. Arch names the instruction set, so instances differ between ISAs.
#pragma once
#include <cstdint>
#include <xsimd/xsimd.hpp>

namespace quern {
namespace {

template <class Arch>
struct XsimdFloats {
  using F = xsimd::batch<float, Arch>;
  static constexpr int lanes = static_cast<int>(F::size);
  static F load(const float* p) { return F::load_unaligned(p); }
  static void store(F v, float* p) { v.store_unaligned(p); }
  static F zero() { return F(0.0f); }
  static F set1(float v) { return F(v); }
  static F add(F a, F b) { return a + b; }
  static F sub(F a, F b) { return a - b; }
  static F mul(F a, F b) { return a * b; }
  static F div(F a, F b) { return a / b; }
  static F max(F a, F b) { return xsimd::max(a, b); }
  static F min(F a, F b) { return xsimd::min(a, b); }
  static F fma(F a, F b, F c) { return xsimd::fma(a, b, c); }
  static float fma1(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
  static float max_lane(F a) {
    alignas(64) float v[lanes];
    a.store_aligned(v);
    float top = v[0];
    for (int i = 1; i < lanes; ++i) top = v[i] > top ? v[i] : top;
    return top;
  }
  static void range(const float* x, const float* smooth, int64_t n, float& low, float& high) {
    F lows = zero(), highs = zero();
    int64_t i = 0;
    for (; i + lanes <= n; i += lanes) {
      const F v = smooth ? load(x + i) * load(smooth + i) : load(x + i);
      lows = xsimd::min(lows, v);
      highs = xsimd::max(highs, v);
    }
    low = -max_lane(-lows);
    high = max_lane(highs);
    for (; i < n; ++i) {
      const float v = smooth ? x[i] * smooth[i] : x[i];
      low = v < low ? v : low;
      high = v > high ? v : high;
    }
    low = low < 0 ? low : 0.0f;  // never -0, which would be a scale's sign
    high = high > 0 ? high : 0.0f;
  }
};

}  // namespace
}  // namespace quern
