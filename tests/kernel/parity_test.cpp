// Every weight type × every ISA that this CPU runs, against the scalar reference: equal to the bit, the integer sums
// and all results. New types and ISAs need no edit here.
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "adopted.h"
#include "buffer.h"
#include "tables.h"
#include "values.h"

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
    type.pack(w.data(), N, K, 0, N, {}, arrays);
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

// On what the kernels make of the weights, where they make something.
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
  Adopted(k, w).multiply(rows.get(), M, 0, w.N, e, r.y.data(), stride);
  for (int64_t m = 0; m < M; ++m)
    for (int64_t n = w.N; n < stride; ++n) REQUIRE(r.y[static_cast<size_t>(m * stride + n)] == -777.0f);  // not overrun
  if (k.accumulate) {
    const int64_t groups = w.type->group == 0 ? 1 : (w.K + w.type->group - 1) / w.type->group;
    r.sums.assign(static_cast<size_t>(M * w.N * groups), -1);
    k.accumulate(rows.get(), M, w, r.sums.data());
  }
  return r;
}

void compare(const Result& expected, const Result& found) {
  REQUIRE(expected.sums == found.sums);
  REQUIRE(std::memcmp(expected.y.data(), found.y.data(), expected.y.size() * sizeof(float)) == 0);
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
      const Adopted adopted(k, packed.matrix);
      adopted.multiply(rows.get(), M, 0, N, {}, whole.data(), N);
      for (int64_t m = 0; m < M; ++m)
        for (int64_t n = 0; n < N; n += 48)
          adopted.multiply(rows.get() + static_cast<size_t>(m) * bytes, 1, n, 48, {}, piece.data() + m * N + n, N);
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
