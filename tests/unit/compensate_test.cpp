// Error-compensated rounding: factors of parts of the inputs are one factor without anything between the parts.
#include <catch2/catch.hpp>
#include <random>
#include <vector>

#include "convert/calibration.h"
#include "dispatch.h"

using namespace quern;

namespace {

// An upper factor of K inputs in parts of `part`; zeros between them.
std::vector<float> factor(int64_t K, int64_t part, std::mt19937& random) {
  std::normal_distribution<float> normal(0, 0.3f);
  std::vector<float> u(static_cast<size_t>(K * K), 0.0f);
  for (int64_t i = 0; i < K; ++i)
    for (int64_t j = i; j < std::min(K, (i / part + 1) * part); ++j)
      u[static_cast<size_t>(i * K + j)] = i == j ? 1.0f + std::abs(normal(random)) : normal(random);
  return u;
}

std::vector<std::vector<char>> packed(const TypeInfo& type, const std::vector<float>& w, int64_t N, int64_t K,
                                      const Rounding& rounding) {
  std::vector<std::vector<char>> arrays;
  void* pointers[4] = {};
  for (int i = 0; i < type.n_arrays; ++i) {
    arrays.emplace_back(type.arrays[i].bytes(N, K));
    pointers[i] = arrays.back().data();
  }
  type.pack(w.data(), N, K, 0, N, rounding, pointers);
  return arrays;
}

}  // namespace

TEST_CASE("inputs are compensated together up to a bound, then in equal parts") {
  CHECK(inputs_together(384) == 384);
  CHECK(inputs_together(4096) == 4096);
  CHECK(inputs_together(4097) == 2304);
  CHECK(inputs_together(14336) == 3584);
  for (int64_t K = 4097; K < 60000; K += 577) {
    CHECK(inputs_together(K) % 256 == 0);
    CHECK(inputs_together(K) <= 4096);
  }
}

TEST_CASE("factors of parts round as one factor with zeros between them") {
  constexpr int64_t N = 19, K = 320, part = 128;  // the last is shorter
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<float> w(static_cast<size_t>(N * K));
  for (float& v : w) v = normal(random);
  const std::vector<float> u = factor(K, part, random);
  const Rounding::Factor whole{u.data(), K};
  std::vector<Rounding::Factor> parts;
  for (int64_t k = 0; k < K; k += part) parts.push_back({u.data() + k * K + k, K});
  for (const char* name : {"q4", "q5", "q8", "q8_g256"}) {
    INFO(name);
    const TypeInfo& type = *find_type(name);
    const auto gemm = default_kernels().gemm;
    const auto expected = packed(type, w, N, K, {.U = {&whole, 1}, .together = K, .gemm = gemm});
    CHECK(packed(type, w, N, K, {.U = parts, .together = part, .gemm = gemm}) == expected);
    CHECK(packed(type, w, N, K, {}) != expected);
  }
}
