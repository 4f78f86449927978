// Every weight type × every ISA that this CPU runs, against the scalar reference: equal to the bit, the integer sums
// and all results. New types and ISAs need no edit here.
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "buffer.h"
#include "tables.h"

using namespace quern;

namespace {

// A matrix as a file holds it, and as products run from it.
struct Packed {
  std::vector<Buffer> buffers;
  Matrix file, matrix;
};

// Rows of a type that quern only reads: bytes at random, but no weight is out of proportion.
void random_rows(const TypeInfo& type, int64_t rows, int64_t K, char* out) {
  std::mt19937 random(static_cast<unsigned>(rows + K));
  const size_t bytes = type.row_bytes(type.k_multiple);
  std::vector<float> values(static_cast<size_t>(type.k_multiple));
  for (int64_t block = 0; block < rows * K / type.k_multiple; ++block, out += bytes) {
    float top;
    do {
      for (size_t i = 0; i < bytes; ++i) out[i] = static_cast<char>(random());
      type.decode(out, values.data(), type.k_multiple);
      top = 0;
      for (const float v : values) top = std::isfinite(v) ? std::max(top, std::fabs(v)) : INFINITY;
    } while (top > 100 || top < 0.01f);
  }
}

Packed pack(const TypeInfo& type, const std::vector<float>& w, int64_t N, int64_t K) {
  Packed out;
  void* arrays[4] = {};
  out.file = {.type = &type, .N = N, .K = K, .arrays = {}};
  for (int i = 0; i < type.n_arrays; ++i) {
    out.buffers.emplace_back(type.arrays[i].bytes(N, K));
    out.file.arrays[i] = arrays[i] = out.buffers.back().get();
  }
  if (type.pack)
    type.pack(w.data(), N, K, 0, N, nullptr, arrays);
  else
    random_rows(type, N, K, static_cast<char*>(arrays[0]));
  out.matrix = out.file;
  if (!type.make_panels) return out;
  void* panels[4] = {};
  for (int i = 0; i < 4 && type.panel_bytes(N, K, i) > 0; ++i) {
    out.buffers.emplace_back(type.panel_bytes(N, K, i));
    out.matrix.arrays[i] = panels[i] = out.buffers.back().get();
  }
  type.make_panels(arrays[0], N, K, 0, N, panels);
  return out;
}

struct Result {
  std::vector<float> y;
  std::vector<int32_t> sums;
};

Result run(const KernelTable& table, const Matrix& w, const std::vector<float>& x, const float* smooth, int64_t M,
           const Epilogue& e = {}) {
  const TypeKernels& k = table.types[type_index(*w.type)];
  const size_t bytes = k.row_bytes(w.K);
  REQUIRE(bytes % 64 == 0);
  Buffer rows(bytes * static_cast<size_t>(M));
  for (int64_t m = 0; m < M; ++m)
    k.prepare(x.data() + m * w.K, smooth, w.K, rows.get() + static_cast<size_t>(m) * bytes);
  Result r;
  const int64_t stride = w.N + 3;
  r.y.assign(static_cast<size_t>(M * stride), -777.0f);
  k.multiply(rows.get(), M, w, 0, w.N, e, r.y.data(), stride);
  for (int64_t m = 0; m < M; ++m)
    for (int64_t n = w.N; n < stride; ++n) REQUIRE(r.y[static_cast<size_t>(m * stride + n)] == -777.0f);  // not overrun
  if (k.accumulate) {
    const int64_t groups = w.type->group == 0 ? 1 : w.K / w.type->group;
    r.sums.assign(static_cast<size_t>(M * w.N * groups), -1);
    k.accumulate(rows.get(), M, w, r.sums.data());
  }
  return r;
}

void compare(const Result& expected, const Result& found) {
  REQUIRE(expected.sums == found.sums);
  REQUIRE(std::memcmp(expected.y.data(), found.y.data(), expected.y.size() * sizeof(float)) == 0);
}

enum class Values { normal, extreme, outlier };

std::vector<float> values(std::mt19937& random, size_t n, Values kind) {
  std::normal_distribution<float> normal;
  std::vector<float> v(n);
  for (float& f : v) {
    f = normal(random);
    if (kind == Values::extreme) f = f < 0 ? -1.0f : 1.0f;
    if (kind == Values::outlier && random() % 50 == 0) f *= 100.0f;
  }
  return v;
}

}  // namespace

TEST_CASE("every type on every ISA equals the scalar reference", "[kernel]") {
  const KernelTable& scalar = find_kernels("scalar");
  const int64_t shapes[][3] = {{1, 1, 1},    {1, 16, 32},  {2, 17, 33},   {3, 48, 64},   {4, 64, 96},   {5, 100, 31},
                               {6, 64, 128}, {7, 65, 160}, {13, 130, 64}, {19, 24, 100}, {1, 96, 1536}, {9, 80, 4096}};
  for (const TypeInfo* type : all_types()) {
    for (const auto& [M, N, K0] : shapes) {
      const int64_t K = round_up(K0, type->k_multiple);
      for (const Values kind : {Values::normal, Values::extreme, Values::outlier}) {
        std::mt19937 random(static_cast<unsigned>(M * 7919 + N * 31 + K));
        const auto w = values(random, static_cast<size_t>(N * K), kind),
                   x = values(random, static_cast<size_t>(M * K), kind);
        std::vector<float> smooth(static_cast<size_t>(K));
        for (float& s : smooth) s = 0.5f + static_cast<float>(random() % 1000) / 1000.0f;
        const Packed packed = pack(*type, w, N, K);
        for (const float* factors : {static_cast<const float*>(nullptr), static_cast<const float*>(smooth.data())}) {
          const Result expected = run(scalar, packed.matrix, x, factors, M);
          for (const KernelTable* table : tested_kernels()) {
            if (table == &scalar) continue;
            INFO(type->name << " on " << table->name << ": M " << M << " N " << N << " K " << K);
            compare(expected, run(*table, packed.matrix, x, factors, M));
          }
        }
      }
    }
  }
}

TEST_CASE("the scalar reference is the product of what was packed and what was prepared", "[kernel]") {
  // Against double arithmetic on unpacked weights: only the activations' rounding is left.
  std::mt19937 random(5);
  for (const TypeInfo* type : all_types()) {
    const int64_t M = 4, N = 37, K = round_up(192, type->k_multiple);
    const auto w = values(random, static_cast<size_t>(N * K), Values::normal),
               x = values(random, static_cast<size_t>(M * K), Values::normal);
    INFO(type->name);
    const Packed packed = pack(*type, w, N, K);
    const Result r = run(find_kernels("scalar"), packed.matrix, x, nullptr, M);
    double error = 0, size = 0, weight_error = 0, weight_size = 0;
    std::vector<float> row(static_cast<size_t>(K));
    for (int64_t n = 0; n < N; ++n) {
      type->unpack(packed.file.arrays, N, K, n, row.data());
      for (int64_t k = 0; k < K; ++k) {
        const double d = row[static_cast<size_t>(k)] - w[static_cast<size_t>(n * K + k)];
        weight_error += d * d;
        weight_size += static_cast<double>(w[static_cast<size_t>(n * K + k)]) * w[static_cast<size_t>(n * K + k)];
      }
      for (int64_t m = 0; m < M; ++m) {
        double exact = 0;
        for (int64_t k = 0; k < K; ++k)
          exact += static_cast<double>(row[static_cast<size_t>(k)]) * x[static_cast<size_t>(m * K + k)];
        const double d = r.y[static_cast<size_t>(m * (N + 3) + n)] - exact;
        error += d * d;
        size += exact * exact;
      }
    }
    const bool integer = find_kernels("scalar").types[type_index(*type)].accumulate != nullptr;
    CHECK(error / size < (integer ? 2e-4 : 1e-12));  // 8-bit activations: about (range / 255)^2 / 12 of the variance
    if (!type->pack) continue;
    const std::string name = type->name;
    CHECK(weight_error / weight_size < (name[1] == '4'   ? 1.2e-2
                                        : name[1] == '5' ? 3e-3
                                        : name[0] == 'q' ? 1e-4
                                                         : 1e-5));
  }
}

TEST_CASE("a row's result depends neither on the other rows nor on how columns are split", "[kernel]") {
  std::mt19937 random(11);
  for (const TypeInfo* type : all_types()) {
    const int64_t M = 23, N = 144, K = round_up(224, type->k_multiple);
    const auto w = values(random, static_cast<size_t>(N * K), Values::normal),
               x = values(random, static_cast<size_t>(M * K), Values::normal);
    const Packed packed = pack(*type, w, N, K);
    for (const KernelTable* table : tested_kernels()) {
      INFO(type->name << " on " << table->name);
      const TypeKernels& k = table->types[type_index(*type)];
      const size_t bytes = k.row_bytes(K);
      Buffer rows(bytes * static_cast<size_t>(M));
      for (int64_t m = 0; m < M; ++m)
        k.prepare(x.data() + m * K, nullptr, K, rows.get() + static_cast<size_t>(m) * bytes);
      std::vector<float> whole(static_cast<size_t>(M * N)), piece(whole.size());
      k.multiply(rows.get(), M, packed.matrix, 0, N, {}, whole.data(), N);
      for (int64_t m = 0; m < M; ++m)
        for (int64_t n = 0; n < N; n += 48)
          k.multiply(rows.get() + static_cast<size_t>(m) * bytes, 1, packed.matrix, n, 48, {}, piece.data() + m * N + n,
                     N);
      REQUIRE(std::memcmp(whole.data(), piece.data(), whole.size() * sizeof(float)) == 0);
    }
  }
}

TEST_CASE("a product's epilogue adds bias, applies the activation and adds the residual", "[kernel]") {
  std::mt19937 random(17);
  for (const auto& [M, N, K0] :
       std::vector<std::array<int64_t, 3>>{{1, 16, 32}, {7, 64, 64}, {9, 77, 32}, {6, 200, 96}}) {
    const auto bias = values(random, static_cast<size_t>(N), Values::normal),
               residual = values(random, static_cast<size_t>(M * N), Values::normal);
    for (const TypeInfo* type : all_types()) {
      const int64_t K = round_up(K0, type->k_multiple);
      const auto w = values(random, static_cast<size_t>(N * K), Values::normal),
                 x = values(random, static_cast<size_t>(M * K), Values::normal);
      const Packed packed = pack(*type, w, N, K);
      std::vector<Result> plain;
      for (const KernelTable* table : tested_kernels()) plain.push_back(run(*table, packed.matrix, x, nullptr, M));
      for (const Activation a : {Activation::none, Activation::gelu, Activation::relu}) {
        for (const bool with_bias : {false, true}) {
          for (const bool with_residual : {false, true}) {
            const Epilogue e{with_bias ? bias.data() : nullptr, a, with_residual ? residual.data() : nullptr, N};
            const Result scalar = run(find_kernels("scalar"), packed.matrix, x, nullptr, M, e);
            for (size_t t = 0; t < plain.size(); ++t) {
              const KernelTable* table = tested_kernels()[t];
              INFO(type->name << " on " << table->name << ": " << M << 'x' << N << 'x' << K << ", activation "
                              << static_cast<int>(a) << (with_bias ? ", bias" : "")
                              << (with_residual ? ", residual" : ""));
              Result expected = plain[t];
              table->epilogue(expected.y.data(), M, N, N + 3, e);
              const Result found = run(*table, packed.matrix, x, nullptr, M, e);
              for (size_t i = 0; i < found.y.size(); ++i)
                REQUIRE(found.y[i] == Approx(expected.y[i]).epsilon(1e-5).margin(1e-5));
              REQUIRE(std::memcmp(found.y.data(), scalar.y.data(), found.y.size() * sizeof(float)) == 0);
            }
          }
        }
      }
    }
  }
}

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
