// The search for smoothing factors: where it puts an outlier channel, and what it gives for input without sense.
#include "convert/smoothing.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>

namespace quern {
namespace {

constexpr size_t kK = 32, kN = 48, kRows = 64;

struct SmoothingCase {
  std::vector<float> samples = std::vector<float>(kRows * kK), weights = std::vector<float>(kN * kK),
                     variance = std::vector<float>(kK, 1.0f);
  Pool pool{2};

  SmoothingCase() {
    std::mt19937 random(7);
    const auto value = [&] { return static_cast<float>(random() % 2001) / 1000.0f - 1.0f; };
    for (float& v : samples) v = value();
    for (float& v : weights) v = value();
  }
  std::vector<float> factors(int64_t group = kK, float steps = 254) {
    return smoothing({kK, samples, weights, variance, group, kK, steps}, pool);
  }
};

TEST_CASE("smoothing shrinks an outlier channel of activations") {
  SmoothingCase c;
  for (size_t s = 0; s < kRows; ++s) c.samples[s * kK + 5] *= 100.0f;
  c.variance[5] = 10000.0f;
  const std::vector<float> m = c.factors();
  for (size_t k = 0; k < kK; ++k) CHECK((k == 5 || m[5] * 3 < m[k]));
}

TEST_CASE("smoothing keeps equal channels about equal") {
  SmoothingCase c;
  const std::vector<float> m = c.factors();
  for (const float v : m) {
    CHECK(v > m[0] / 3);
    CHECK(v < m[0] * 3);
  }
}

TEST_CASE("smoothing does not depend on the threads") {
  SmoothingCase c;
  Pool one(1);
  CHECK(c.factors() == smoothing({kK, c.samples, c.weights, c.variance, kK, kK, 254}, one));
  CHECK(c.factors(8, 15) == smoothing({kK, c.samples, c.weights, c.variance, 8, kK, 15}, one));
}

TEST_CASE("smoothing gives finite factors for any input") {
  SmoothingCase empty, zeros, nans;
  empty.samples.clear();
  CHECK(empty.factors() == std::vector<float>(kK, 1.0f));
  for (std::vector<float>* v : {&zeros.samples, &zeros.weights, &zeros.variance}) v->assign(v->size(), 0.0f);
  for (const float v : zeros.factors()) CHECK((std::isfinite(v) && v > 0));
  nans.samples[3] = nans.weights[40] = std::numeric_limits<float>::quiet_NaN();
  for (const float v : nans.factors()) CHECK((std::isfinite(v) && v > 0));
}

TEST_CASE("smoothing weighs a row's ranges group by group") {
  // A single loud activation costs its own group alone: the others' factors are as without it.
  SmoothingCase quiet, loud;
  constexpr int64_t kGroup = 16;
  for (size_t s = 0; s < kRows; ++s) loud.samples[s * kK + 3] *= 100.0f;
  const auto factors = [&](SmoothingCase& c, int64_t group) {
    return smoothing({kK, c.samples, c.weights, c.variance, kGroup, group, 254}, c.pool);
  };
  const auto relative = [&](const std::vector<float>& m, size_t k) { return m[k] / m[kK - 1]; };
  const auto alone = factors(quiet, kGroup), beside = factors(loud, kGroup), one = factors(loud, kK);
  double change = 0, change_of_one = 0;
  for (size_t k = kGroup; k < kK; ++k) {
    change = std::max(change, std::fabs(std::log(double{relative(beside, k) / relative(alone, k)})));
    change_of_one = std::max(change_of_one, std::fabs(std::log(double{relative(one, k) / relative(alone, k)})));
  }
  CHECK(change < 0.1);
  CHECK(change_of_one > 3 * change);
  CHECK(beside[3] * 3 < beside[kK - 1]);
}

}  // namespace
}  // namespace quern
