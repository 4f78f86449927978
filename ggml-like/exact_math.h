// Elementary functions of doubles from additions, multiplications, divisions and square roots alone, which every
// platform rounds alike: what follows from them (tokens from a seed, rotary angles, scores) is the same to the bit
// everywhere. quern is compiled without contraction to fused multiplications (cmake/settings.cmake). For the few values
// of a text or of a token; rows of values have the kernels' own (isa/elementwise.h).
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace quern {

// Nearest integer, by the bits that are lost when a large number is added; |x| < 2^51.
inline double nearest(double x) noexcept {
  constexpr double rounder = 0x1.8p52;
  return (x + rounder) - rounder;
}

constexpr double kLn2High = 0x1.62e42feep-1, kLn2Low = 0x1.a39ef35793c76p-33;

// e^x. Relative error below 1e-12; 0 below -700, infinity above 709.
inline double exponential(double x) noexcept {
  if (x > 709) return std::bit_cast<double>(uint64_t{0x7ff} << 52);
  if (!(x > -700)) return x < 0 ? 0 : x;  // what is no number stays none
  constexpr double log2_e = 1.4426950408889634;
  const double k = nearest(x * log2_e);
  const double r = (x - k * kLn2High) - k * kLn2Low;  // |r| <= ln 2 / 2
  // 1 / i!, the last first; the next term is below 4e-15.
  constexpr double terms[] = {1 / 39916800.0, 1 / 3628800.0, 1 / 362880.0, 1 / 40320.0, 1 / 5040.0, 1 / 720.0,
                              1 / 120.0,      1 / 24.0,      1 / 6.0,      1 / 2.0,     1,          1};
  double sum = 0;
  for (const double term : terms) sum = term + sum * r;
  return sum * std::bit_cast<double>(static_cast<uint64_t>(static_cast<int64_t>(k) + 1023) << 52);
}

// ln x of a normal x > 0. Relative error below 1e-14.
inline double logarithm(double x) noexcept {
  const uint64_t bits = std::bit_cast<uint64_t>(x);
  int64_t k = static_cast<int64_t>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0x000fffffffffffff) | (uint64_t{1023} << 52));  // 1 … 2
  if (m > 1.4142135623730951) {
    m /= 2;
    ++k;
  }
  // 2 artanh(s): odd powers; |s| <= 0.172, the next term is below 1e-18.
  const double s = (m - 1) / (m + 1), z = s * s;
  double sum = 0;
  for (int i = 21; i >= 1; i -= 2) sum = 1.0 / i + sum * z;
  const double n = static_cast<double>(k);
  return n * kLn2High + (n * kLn2Low + 2 * s * sum);
}

// ln(1 + x) of a float x >= 0.
inline float log_of_1_plus(float x) noexcept {
  const double u = 1 + static_cast<double>(x);
  if (u == 1) return x;
  return static_cast<float>(logarithm(u) * (static_cast<double>(x) / (u - 1)));  // mends what 1 + x lost
}

inline double power(double base, double exponent) noexcept {
  return exponential(exponent * logarithm(base));
}

inline float sigmoid(float x) noexcept {
  const double e = exponential(-std::fabs(static_cast<double>(x)));
  return static_cast<float>((x < 0 ? e : 1) / (1 + e));
}

// cos and sin: absolute error below 1e-15 for |x| < 2^20. Not a number from 2^30 on, which only damaged settings reach.
struct Turn {
  double cos, sin;
};
inline Turn turn_of(double x) noexcept {
  if (!(std::fabs(x) < 0x1p30))
    return {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::quiet_NaN()};
  constexpr double two_by_pi = 0.63661977236758134308;
  // π / 2 in three parts, the first two of 33 bits, so that their products with k are exact.
  constexpr double high = 0x1.921fb544p+0, middle = 0x1.0b4611a6p-34, low = 0x1.3198a2e037073p-69;
  const double k = nearest(x * two_by_pi);
  const double r = ((x - k * high) - k * middle) - k * low, z = r * r;  // |r| <= π / 4
  double s = 0, c = 0;
  for (int i = 17; i >= 3; i -= 2) s = (1 + s) * (-z / (i * (i - 1)));
  for (int i = 18; i >= 2; i -= 2) c = (1 + c) * (-z / (i * (i - 1)));
  s = r + r * s;
  c = 1 + c;
  switch (static_cast<int64_t>(k) & 3) {
    case 0:
      return {c, s};
    case 1:
      return {-s, c};
    case 2:
      return {-c, -s};
    default:
      return {s, -c};
  }
}

}  // namespace quern
