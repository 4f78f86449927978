// Random numbers that are the same on every platform, and that belong to a seed and a place: the n-th number can be had
// without those before it.
#pragma once
#include <cstdint>

namespace quern {

// The n-th output of SplitMix64 (Steele, Lea, Flood, 2014) started with this seed.
constexpr uint64_t split_mix(uint64_t seed, uint64_t n) noexcept {
  uint64_t z = seed + (n + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

// In [0, 1), a multiple of 2^-53. The seed is mixed first: near seeds would else give the same sequence, shifted.
constexpr double uniform(uint64_t seed, uint64_t n) noexcept {
  return static_cast<double>(split_mix(split_mix(seed, 0), n) >> 11) * 0x1p-53;
}

}  // namespace quern
