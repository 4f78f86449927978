// Factors of positive definite matrices, blocked, against double arithmetic.
#include "convert/factors.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <random>

#include "dispatch.h"

using namespace quern;

namespace {

// XᵀX of more rows than it has columns.
SquareMatrix gram(int64_t K, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  const int64_t rows = 2 * K + 3;
  std::vector<float> x(static_cast<size_t>(rows * K));
  for (float& v : x) v = normal(random);
  SquareMatrix g(K);
  for (int64_t i = 0; i < K; ++i)
    for (int64_t j = 0; j < K; ++j) {
      double sum = 0;
      for (int64_t r = 0; r < rows; ++r)
        sum += static_cast<double>(x[static_cast<size_t>(r * K + i)]) * x[static_cast<size_t>(r * K + j)];
      g.row(i)[j] = static_cast<float>(sum);
    }
  return g;
}

}  // namespace

TEST_CASE("factors: L·Lᵀ is the matrix and L·L⁻¹ the identity, on any number of threads") {
  for (const int64_t K : {1, 2, 63, 64, 65, 130, 200}) {
    INFO("K " << K);
    const SquareMatrix a = gram(K, static_cast<unsigned>(K));
    SquareMatrix first(1);
    for (const int threads : {1, 3}) {
      Pool pool(threads);
      SquareMatrix l = a;
      REQUIRE(cholesky(l, default_kernels(), pool));
      const SquareMatrix z = inverse_of_lower(l, default_kernels(), pool);
      double product = 0, identity = 0;
      for (int64_t i = 0; i < K; ++i)
        for (int64_t j = 0; j <= i; ++j) {
          double sum = 0, one = 0;
          for (int64_t k = 0; k <= j; ++k) sum += static_cast<double>(l.row(i)[k]) * l.row(j)[k];
          for (int64_t k = j; k <= i; ++k) one += static_cast<double>(l.row(i)[k]) * z.row(k)[j];
          product = std::max(product, std::fabs(sum - a.row(i)[j]) / static_cast<double>(K));
          identity = std::max(identity, std::fabs(one - (i == j)));
        }
      CHECK(product < 1e-5);
      CHECK(identity < 1e-5);
      for (int64_t i = 0; i < K; ++i)
        for (int64_t j = i + 1; j < K; ++j) REQUIRE(z.row(i)[j] == 0.0f);
      if (threads == 1)
        first = z;
      else
        CHECK(first.values == z.values);
    }
  }
}

TEST_CASE("factors: what is not positive definite has none") {
  Pool pool(2);
  for (const int64_t at : {int64_t{0}, int64_t{70}, int64_t{99}})
    for (const float bad : {-1e6f, NAN}) {
      SquareMatrix a = gram(100, 3);
      a.row(at)[at] = bad;
      CHECK_FALSE(cholesky(a, default_kernels(), pool));
    }
}
