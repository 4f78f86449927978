// Random values that kernels are tested with.
#pragma once
#include <cstddef>
#include <random>
#include <vector>

enum class Values { normal, extreme, outlier };

inline std::vector<float> values(std::mt19937& random, size_t n, Values kind) {
  std::normal_distribution<float> normal;
  std::vector<float> v(n);
  for (float& f : v) {
    f = normal(random);
    if (kind == Values::extreme) f = f < 0 ? -1.0f : 1.0f;
    if (kind == Values::outlier && random() % 50 == 0) f *= 100.0f;
  }
  return v;
}
