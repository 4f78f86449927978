// The float kernels between the products, on every ISA: against double arithmetic, and to the bit against the scalar
// reference.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "tables.h"
#include "values.h"

using namespace quern;

namespace {

double activated(Activation a, double v) {
  switch (a) {
    case Activation::none:
      return v;
    case Activation::gelu:
      return v * 0.5 * (1 + std::erf(v / std::sqrt(2.0)));
    case Activation::gelu_tanh:
      return 0.5 * v * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)));
    case Activation::relu:
      return std::max(v, 0.0);
    case Activation::silu:
      return v / (1 + std::exp(-v));
    case Activation::tanh:
      return std::tanh(v);
    case Activation::sigmoid:
      return 1 / (1 + std::exp(-v));
  }
  return v;
}

constexpr Activation kAllActivations[] = {Activation::none, Activation::gelu, Activation::gelu_tanh, Activation::relu,
                                          Activation::silu, Activation::tanh, Activation::sigmoid};

}  // namespace

TEST_CASE("element-wise kernels agree with double arithmetic on every ISA", "[kernel]") {
  for (const KernelTable* table : tested_kernels()) {
    for (const int n : {1, 3, 7, 8, 15, 16, 17, 31, 64, 100, 384}) {
      INFO(table->name << ", n " << n);
      std::mt19937 random(static_cast<unsigned>(n));
      const size_t size = static_cast<size_t>(n);
      auto x = values(random, size, Values::outlier);
      const auto weight = values(random, size, Values::normal), bias = values(random, size, Values::normal);
      for (const Activation a : kAllActivations) {
        auto y = x;
        table->epilogue(y.data(), 1, n, n,
                        {.bias = bias.data(), .activation = a, .residual = weight.data(), .residual_stride = n});
        for (size_t i = 0; i < size; ++i) {
          const double v = static_cast<double>(x[i] + bias[i]);
          CAPTURE(static_cast<int>(a), v);
          REQUIRE(y[i] == Approx(activated(a, v) + static_cast<double>(weight[i])).epsilon(2e-6).margin(2e-6));
        }
      }
      double mean = 0, variance = 0;
      for (const float v : x) mean += static_cast<double>(v) / n;
      for (const float v : x) variance += (v - mean) * (v - mean) / n;
      std::vector<float> y(size);
      table->layer_norm(x.data(), weight.data(), bias.data(), 1e-5f, n, y.data());
      for (size_t i = 0; i < size; ++i)
        REQUIRE(y[i] == Approx((x[i] - mean) / std::sqrt(variance + 1e-5) * static_cast<double>(weight[i]) +
                               static_cast<double>(bias[i]))
                            .epsilon(1e-4)
                            .margin(1e-5));
      const float top = *std::max_element(x.begin(), x.end());
      auto s = x;
      const float total = table->softmax(s.data(), n, 0.3f);
      double expected = 0;
      for (size_t i = 0; i < size; ++i) {
        const double e = std::exp((static_cast<double>(x[i]) - static_cast<double>(top)) * 0.3);
        expected += e;
        REQUIRE(s[i] == Approx(e).epsilon(1e-5).margin(1e-30));
      }
      REQUIRE(total == Approx(expected).epsilon(1e-5));
      double product = 0, absolute = 0;
      for (size_t i = 0; i < size; ++i)
        product += static_cast<double>(x[i] * weight[i]), absolute += std::fabs(x[i] * weight[i]);
      REQUIRE(std::fabs(table->dot(x.data(), weight.data(), n) - product) <= 1e-6 * absolute + 1e-6);
    }
  }
}

TEST_CASE("gates, rotations and root mean squares agree with double arithmetic on every ISA", "[kernel]") {
  for (const KernelTable* table : tested_kernels()) {
    for (const int n : {1, 3, 8, 16, 17, 32, 100}) {
      INFO(table->name << ", n " << n);
      std::mt19937 random(static_cast<unsigned>(n));
      const size_t size = static_cast<size_t>(n);
      const auto x = values(random, 2 * size, Values::normal), y = values(random, 2 * size, Values::normal);
      std::vector<float> out(size + 1, -777.0f);
      for (const Activation a : kAllActivations) {
        table->gate(x.data(), y.data(), a, n, out.data());
        for (size_t i = 0; i < size; ++i)
          REQUIRE(
              out[i] ==
              Approx(activated(a, static_cast<double>(x[i])) * static_cast<double>(y[i])).epsilon(2e-6).margin(2e-6));
      }
      double squares = 0;
      for (size_t i = 0; i < size; ++i) squares += static_cast<double>(x[i]) * static_cast<double>(x[i]) / n;
      table->rms_norm(x.data(), y.data(), 1e-6f, n, out.data());
      for (size_t i = 0; i < size; ++i)
        REQUIRE(out[i] == Approx(static_cast<double>(x[i] * y[i]) / std::sqrt(squares + 1e-6)).epsilon(1e-5));
      REQUIRE(out[size] == -777.0f);
      auto turned = x;
      turned.push_back(-777.0f);
      table->rotate(turned.data(), y.data(), y.data() + size, n);
      for (size_t i = 0; i < size; ++i) {
        const double a = static_cast<double>(x[i]), b = static_cast<double>(x[i + size]);
        const double c = static_cast<double>(y[i]), s = static_cast<double>(y[i + size]);
        REQUIRE(turned[i] == Approx(a * c - b * s).epsilon(1e-5).margin(1e-6));
        REQUIRE(turned[i + size] == Approx(b * c + a * s).epsilon(1e-5).margin(1e-6));
      }
      REQUIRE(turned.back() == -777.0f);
    }
  }
}

TEST_CASE("gemm equals the scalar chain of fused multiply-adds to the bit", "[kernel]") {
  const KernelTable& scalar = find_kernels("scalar");
  std::mt19937 random(3);
  for (const KernelTable* table : tested_kernels()) {
    for (const auto& [M, N, K] :
         std::vector<std::array<int64_t, 3>>{{1, 1, 1}, {5, 33, 7}, {7, 64, 32}, {13, 130, 64}, {48, 16, 5}}) {
      INFO(table->name << ": M " << M << " N " << N << " K " << K);
      const auto a = values(random, static_cast<size_t>(M * K), Values::normal),
                 b = values(random, static_cast<size_t>(K * N), Values::normal);
      std::vector<float> expected(static_cast<size_t>(M * N)), found(expected.size());
      scalar.gemm(M, N, K, a.data(), K, b.data(), N, expected.data(), N);
      table->gemm(M, N, K, a.data(), K, b.data(), N, found.data(), N);
      REQUIRE(std::memcmp(expected.data(), found.data(), expected.size() * sizeof(float)) == 0);
    }
  }
}

TEST_CASE("element-wise kernels give the same bits on every ISA", "[kernel]") {
  for (const int n : {1, 3, 7, 15, 16, 17, 31, 33, 100, 384}) {
    std::mt19937 random(static_cast<unsigned>(n));
    const size_t size = static_cast<size_t>(n);
    const auto x = values(random, size, Values::outlier), w = values(random, size, Values::normal);
    const auto all = [&](const KernelTable& table) {
      std::vector<float> out;
      const auto with = [&](const auto& f) {
        auto y = x;
        f(y.data());
        out.insert(out.end(), y.begin(), y.end());
      };
      for (const Activation a : kAllActivations) {
        with([&](float* y) { table.epilogue(y, 1, n, n, {.bias = w.data(), .activation = a}); });
        with([&](float* y) { table.gate(y, w.data(), a, n, y); });
      }
      with([&](float* y) { table.layer_norm(x.data(), w.data(), x.data(), 1e-5f, n, y); });
      with([&](float* y) { table.rms_norm(x.data(), w.data(), 1e-6f, n, y); });
      with([&](float* y) { out.push_back(table.softmax(y, n, 0.3f)); });
      with([&](float* y) { table.softcap(y, n, 3); });
      with([&](float* y) { table.axpy(0.7f, w.data(), y, n); });
      with([&](float* y) { table.rotate(y, w.data(), w.data(), n / 2); });
      with([&](float* y) { table.rotate_pairs(y, w.data(), w.data(), n / 2); });
      out.push_back(table.dot(x.data(), w.data(), n));
      for (const float v : x) out.push_back(table.exp(v));
      return out;
    };
    const auto expected = all(find_kernels("scalar"));
    for (const KernelTable* table : tested_kernels()) {
      const auto found = all(*table);
      INFO(table->name << ", n " << n);
      REQUIRE(found.size() == expected.size());
      CHECK(std::memcmp(found.data(), expected.data(), found.size() * sizeof(float)) == 0);
    }
  }
}

TEST_CASE("exp and tanh are near everywhere, and keep what is no number", "[kernel]") {
  const KernelTable& table = find_kernels("scalar");
  for (double v = -87; v < 88; v += 0.0137) {
    const float x = static_cast<float>(v);
    REQUIRE(std::fabs(static_cast<double>(table.exp(x)) / std::exp(static_cast<double>(x)) - 1) < 1.2e-7);
  }
  for (double v = -10; v < 10; v += 0.00137) {
    float x = static_cast<float>(v);
    const double exact = std::tanh(static_cast<double>(x));
    table.softcap(&x, 1, 1);
    REQUIRE(std::fabs(static_cast<double>(x) - exact) <= 3.5e-7 * std::fabs(exact));
    REQUIRE(std::fabs(x) <= 1);
  }
  for (const float far : {8.9f, 20.0f, 1e30f, INFINITY}) {
    float ends[] = {far, -far};
    table.softcap(ends, 2, 1);
    CHECK(ends[0] == 1);
    CHECK(ends[1] == -1);
  }
  CHECK(table.exp(-INFINITY) == 0);
  CHECK(table.exp(-1000.0f) == 0);
  CHECK(table.exp(0.0f) == 1);
  for (const KernelTable* each : tested_kernels()) {
    INFO(each->name);
    CHECK(std::isfinite(each->exp(1000.0f)));
    CHECK(std::isnan(each->exp(NAN)));
    for (const Activation a : kAllActivations) {
      if (a == Activation::relu) continue;
      std::vector<float> y(5, NAN);
      each->epilogue(y.data(), 1, 5, 5, {.bias = nullptr, .activation = a});
      for (const float v : y) CHECK(std::isnan(v));
    }
  }
}
