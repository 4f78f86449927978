// q8's products where an ISA adds up a few of them in 16 bits (quants/q8/short_sums.h): for every range of codes, at
// the ends of what activations and weights can be, equal to the bit to the scalar kernels.
#include "quants/q8/short_sums.h"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <random>
#include <set>
#include <vector>

#include "adopted.h"
#include "buffer.h"
#include "tables.h"

using namespace quern;

namespace {

enum class Codes { normal, ends, most, least, few };

// A matrix of q8, or of it in groups, whose codes have been chosen.
struct Coded {
  Coded(const TypeInfo& type, int64_t N, int64_t K, int most, Codes kind, std::mt19937& random)
      : matrix{.type = &type, .N = N, .K = K, .arrays = {}} {
    for (int i = 0; i < 3; ++i) {
      buffers.emplace_back(type.arrays[i].bytes(N, K));
      std::memset(buffers.back().get(), 0, type.arrays[i].bytes(N, K));
      matrix.arrays[i] = buffers.back().get();
    }
    auto* const codes = reinterpret_cast<int8_t*>(buffers[0].get());
    std::normal_distribution<float> normal(0, static_cast<float>(most) / 3);
    const int64_t outputs = round_up(N, 16), group = type.group > 0 ? type.group : K;
    for (int64_t n = 0; n < N; ++n) {
      for (int64_t g = 0; g * group < K; ++g)
        reinterpret_cast<float*>(buffers[1].get())[g * outputs + n] = 0.01f + 0.001f * static_cast<float>((n + g) % 7);
      for (int64_t k = 0; k < K; ++k) {
        int code = 0;
        switch (kind) {
          case Codes::normal:
            code = static_cast<int>(
                std::clamp(std::round(normal(random)), static_cast<float>(-most), static_cast<float>(most)));
            break;
          case Codes::ends:
            code = random() % 2 ? most : -most;
            break;
          case Codes::most:
            code = most;
            break;
          case Codes::least:
            code = -most - 1;  // as far as -128, which no converter writes
            break;
          case Codes::few:
            code = random() % 97 == 0 ? most : static_cast<int>(random() % 5) - 2;
            break;
        }
        const int64_t g = k / group, i = k % group, padded = round_up(std::min(group, K - g * group), 4);
        codes[outputs * g * group + n / 16 * 16 * padded + i / 4 * 64 + n % 16 * 4 + i % 4] = static_cast<int8_t>(code);
        reinterpret_cast<int32_t*>(buffers[2].get())[g * outputs + n] += code;
      }
    }
  }

  std::vector<Buffer> buffers;
  Matrix matrix;
};

std::vector<float> product(const TypeKernels& k, const Matrix& w, const std::vector<float>& x, int64_t M, bool adopt) {
  const size_t bytes = k.row_bytes(w.K);
  Buffer rows(bytes * static_cast<size_t>(M));
  for (int64_t m = 0; m < M; ++m)
    k.prepare(x.data() + m * w.K, nullptr, w.K, rows.get() + static_cast<size_t>(m) * bytes);
  std::vector<float> y(static_cast<size_t>(M * w.N));
  Adopted(k, w, adopt).multiply(rows.get(), M, 0, w.N, {}, y.data(), w.N);
  return y;
}

}  // namespace

TEST_CASE("q8's short sums equal the scalar products for every range of codes", "[kernel]") {
  std::mt19937 random(23);
  std::set<int> chains;
  bool any = false;
  for (const TypeInfo* type : {find_type("q8"), find_type("q8_g256")})
    for (const KernelTable* table : tested_kernels()) {
      const size_t index = static_cast<size_t>(type_index(*type));
      const TypeKernels &kernels = table->types[index], &scalar = find_kernels("scalar").types[index];
      any = any || kernels.adopt;
      for (const auto& [M, N, K] : std::vector<std::array<int64_t, 3>>{
               {1, 1, 1}, {3, 17, 9}, {4, 48, 36}, {7, 31, 100}, {24, 40, 384}, {25, 16, 388}, {59, 100, 260}})
        for (const int most : {31, 52, 72, 80, 96, 112, 127})
          for (const Codes kind : {Codes::normal, Codes::ends, Codes::most, Codes::least, Codes::few}) {
            const Coded coded(*type, N, K, most, kind, random);
            // Rows of 0 and 255 alone, of one value, and of any.
            std::vector<float> x(static_cast<size_t>(M * K));
            for (size_t i = 0; i < x.size(); ++i) {
              const int64_t row = static_cast<int64_t>(i) / K;
              x[i] = row % 3 == 0   ? static_cast<float>(random() % 2)
                     : row % 3 == 1 ? 1.0f
                                    : static_cast<float>(random() % 1000) / 500 - 1;
            }
            INFO(type->name << " on " << table->name << ": M " << M << " N " << N << " K " << K << " most " << most
                            << " codes " << static_cast<int>(kind));
            const auto expected = product(scalar, coded.matrix, x, M, false);
            REQUIRE(expected == product(kernels, coded.matrix, x, M, true));
            REQUIRE(expected == product(kernels, coded.matrix, x, M, false));
            if (!kernels.adopt || type->group > 0) continue;
            const auto own = kernels.adopt(coded.matrix);
            for (int64_t p = 0; p < (N + 15) / 16; ++p)
              chains.insert(static_cast<const ShortSums*>(own.get())->panels[p].chain);
          }
    }
  if (any)
    CHECK(chains == std::set<int>{1, 2, 4});
  else
    WARN("no ISA of this CPU adds up in 16 bits");
}
