// Products by packed codes at the ends of what codes and activations can be, where sums in 16 bits come nearest to
// their bound, in more rows than one block of quants/opened_panels.h has: equal to the bit to the scalar kernels.
#include <array>
#include <catch2/catch.hpp>
#include <cstring>
#include <random>
#include <vector>

#include "adopted.h"
#include "buffer.h"
#include "tables.h"

using namespace quern;

namespace {

// Codes of one byte all over, or of any bytes (fill < 0), with scales near one.
struct Filled {
  Filled(const TypeInfo& type, int64_t N, int64_t K, int fill, std::mt19937& random)
      : matrix{.type = &type, .N = N, .K = K, .arrays = {}} {
    const auto bytes = [&](int i) {
      if (type.make_panels) return type.panel_bytes(N, K, i);
      return i < type.n_arrays ? type.arrays[i].bytes(N, K) : 0;
    };
    for (int i = 0; i < 4 && bytes(i) > 0; ++i) {
      buffers.emplace_back(bytes(i));
      matrix.arrays[i] = buffers.back().get();
      std::memset(buffers.back().get(), 0x3c, bytes(i));  // f16, bf16, f32 and int8 alike
    }
    for (size_t i = 0; i < bytes(0); ++i) buffers[0].get()[i] = static_cast<char>(fill < 0 ? random() : fill);
    if (!type.make_panels)  // zero points of q4 and q5
      for (size_t i = 0; i < bytes(2); ++i)
        buffers[2].get()[i] = static_cast<char>(random() % 2 * static_cast<uint32_t>(type.steps));
  }
  std::vector<Buffer> buffers;
  Matrix matrix;
};

struct Result {
  std::vector<float> y;
  std::vector<int32_t> sums;
};

Result product(const TypeKernels& k, const Matrix& w, const std::vector<float>& x, int64_t M) {
  const size_t bytes = k.row_bytes(w.K);
  Buffer rows(bytes * static_cast<size_t>(M));
  for (int64_t m = 0; m < M; ++m)
    k.prepare(x.data() + m * w.K, nullptr, w.K, rows.get() + static_cast<size_t>(m) * bytes);
  Result r{std::vector<float>(static_cast<size_t>(M * w.N)),
           std::vector<int32_t>(static_cast<size_t>(M * w.N * (w.K / w.type->group)))};
  Adopted(k, w).multiply(rows.get(), M, 0, w.N, {}, r.y.data(), w.N);
  k.accumulate(rows.get(), M, w, r.sums.data());
  return r;
}

// Rows of the largest activation, of the smallest beside zeros, of both ends, and of any.
std::vector<float> activations(int64_t M, int64_t K, std::mt19937& random) {
  std::vector<float> x(static_cast<size_t>(M * K));
  for (size_t i = 0; i < x.size(); ++i) switch (static_cast<int64_t>(i) / K % 4) {
      case 0:
        x[i] = 1;
        break;
      case 1:
        x[i] = random() % 8 ? -1 : 0;
        break;
      case 2:
        x[i] = random() % 2 ? 1 : -1;
        break;
      default:
        x[i] = static_cast<float>(random() % 1000) / 500 - 1;
    }
  return x;
}

}  // namespace

TEST_CASE("codes and activations at their ends, in every number of rows", "[kernel]") {
  std::mt19937 random(41);
  for (const TypeInfo* type : all_types()) {
    const size_t index = static_cast<size_t>(type_index(*type));
    const TypeKernels& scalar = find_kernels("scalar").types[index];
    if (!type->group || type->levels[0].name) continue;  // floats; codes of whole bytes have short_sums_test
    for (const auto& [M, N, K0] : std::vector<std::array<int64_t, 3>>{{1, 16, 32},
                                                                      {2, 17, 64},
                                                                      {3, 31, 96},
                                                                      {4, 40, 32},
                                                                      {7, 16, 288},
                                                                      {48, 33, 64},
                                                                      {49, 16, 32},
                                                                      {103, 24, 32}})
      for (const int fill : {0x00, 0x77, 0xFF, -1}) {
        const int64_t K = round_up(K0, type->k_multiple);
        const Filled filled(*type, N, K, fill, random);
        const std::vector<float> x = activations(M, K, random);
        const Result expected = product(scalar, filled.matrix, x, M);
        for (const KernelTable* table : tested_kernels()) {
          INFO(type->name << " on " << table->name << ": M " << M << " N " << N << " K " << K << " codes " << fill);
          const Result found = product(table->types[index], filled.matrix, x, M);
          REQUIRE(expected.sums == found.sums);
          REQUIRE(std::memcmp(expected.y.data(), found.y.data(), expected.y.size() * sizeof(float)) == 0);
        }
      }
  }
}
