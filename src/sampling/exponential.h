// e^x from additions and multiplications alone, so that the same seed gives the same tokens on every platform; the
// files that use it are compiled without fused multiplications.
#pragma once
#include <bit>
#include <cstdint>

namespace quern {

// x: at most 0, or -inf. Relative error below 1e-12; 0 below -700.
inline double exponential(double x) noexcept {
  if (!(x > -700)) return 0;
  constexpr double log2_e = 1.4426950408889634, ln2_high = 0x1.62e42feep-1, ln2_low = 0x1.a39ef35793c76p-33;
  // Rounds by the bits that are lost when a large number is added.
  constexpr double rounder = 0x1.8p52;
  const double k = (x * log2_e + rounder) - rounder;
  const double r = (x - k * ln2_high) - k * ln2_low;  // |r| ≤ ln 2 / 2
  // 1 / i!, the last first; the next term is below 4e-15.
  constexpr double terms[] = {1 / 39916800.0, 1 / 3628800.0, 1 / 362880.0, 1 / 40320.0, 1 / 5040.0, 1 / 720.0,
                              1 / 120.0,      1 / 24.0,      1 / 6.0,      1 / 2.0,     1,          1};
  double sum = 0;
  for (const double term : terms) sum = term + sum * r;
  return sum * std::bit_cast<double>(static_cast<uint64_t>(static_cast<int64_t>(k) + 1023) << 52);
}

}  // namespace quern
