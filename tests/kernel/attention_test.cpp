// Attention of one head in both precisions, against double arithmetic, and equal to the bit on every ISA.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "buffer.h"
#include "tables.h"

using namespace quern;

namespace {

struct Head {
  int64_t L, d;
  float scale;
  int64_t before, after;
  float softcap = 0;
  std::vector<float> bias;  // empty, or of key j and query i at L - 1 + j - i
  std::vector<float> qkv;   // rows of q, k, v and one value that belongs to nobody

  Head(int64_t L, int64_t d, float spread, unsigned seed)
      : L(L), d(d), scale(1 / std::sqrt(static_cast<float>(d))), before(L), after(L) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0, spread);
    qkv.resize(static_cast<size_t>(L * stride()));
    for (float& f : qkv) f = normal(random);
  }
  int64_t stride() const { return 3 * d + 1; }
  const float* row(int part, int64_t i) const { return qkv.data() + i * stride() + part * d; }

  std::vector<float> run(const AttentionKernel& kernel) const {
    const int64_t out_stride = d + 2;
    std::vector<float> out(static_cast<size_t>(L * out_stride), -777.0f);
    const Buffer scratch(kernel.scratch_bytes(L, d));
    kernel.run({row(0, 0), row(1, 0), row(2, 0), stride(), L, d, scale, out.data(), out_stride, before, after,
                bias.empty() ? nullptr : bias.data() + L - 1, -1, softcap},
               scratch.get());
    std::vector<float> rows;
    for (int64_t i = 0; i < L; ++i) {
      const auto at = out.begin() + i * out_stride;
      REQUIRE((at[d] == -777.0f && at[d + 1] == -777.0f));  // not overrun
      rows.insert(rows.end(), at, at + d);
    }
    return rows;
  }

  std::vector<double> exact() const {
    std::vector<double> out(static_cast<size_t>(L * d)), p(static_cast<size_t>(L));
    for (int64_t i = 0; i < L; ++i) {
      double top = -1e300, total = 0;
      const int64_t first = std::max<int64_t>(0, i - before), last = std::min(L, i + after + 1);
      std::fill(p.begin(), p.end(), 0.0);
      for (int64_t j = first; j < last; ++j) {
        double dot = 0;
        for (int64_t c = 0; c < d; ++c) dot += static_cast<double>(row(0, i)[c]) * static_cast<double>(row(1, j)[c]);
        p[static_cast<size_t>(j)] = dot * static_cast<double>(scale);
        if (const double cap = static_cast<double>(softcap); cap > 0)
          p[static_cast<size_t>(j)] = cap * std::tanh(p[static_cast<size_t>(j)] / cap);
        if (!bias.empty()) p[static_cast<size_t>(j)] += static_cast<double>(bias[static_cast<size_t>(L - 1 + j - i)]);
        top = std::max(top, p[static_cast<size_t>(j)]);
      }
      for (int64_t j = first; j < last; ++j)
        total += p[static_cast<size_t>(j)] = std::exp(p[static_cast<size_t>(j)] - top);
      for (int64_t j = 0; j < L; ++j)
        for (int64_t c = 0; c < d; ++c)
          out[static_cast<size_t>(i * d + c)] += p[static_cast<size_t>(j)] / total * static_cast<double>(row(2, j)[c]);
    }
    return out;
  }
};

double worst(const std::vector<float>& found, const std::vector<double>& exact) {
  double error = 0;
  for (size_t i = 0; i < found.size(); ++i)
    error = std::max(error, std::fabs(static_cast<double>(found[i]) - exact[i]));
  return error;
}

// Every ISA's attention against double arithmetic, and to the bit against the scalar one.
void check(const Head& head, double size) {
  const auto exact = head.exact();
  const auto reference_f32 = head.run(find_kernels("scalar").attention_f32);
  const auto reference_i16 = head.run(find_kernels("scalar").attention_i16);
  const auto equal = [](const std::vector<float>& a, const std::vector<float>& b) {
    return std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
  };
  for (const KernelTable* table : tested_kernels()) {
    INFO(table->name << ": L " << head.L << " d " << head.d << " size " << size << " before " << head.before
                     << " after " << head.after << " softcap " << head.softcap
                     << (head.bias.empty() ? "" : " with a bias"));
    const auto f32 = head.run(table->attention_f32), i16 = head.run(table->attention_i16);
    CHECK(worst(f32, exact) < 2e-6 * size);
    CHECK(worst(i16, exact) < 6e-4 * size);
    REQUIRE(equal(f32, reference_f32));
    REQUIRE(equal(i16, reference_i16));
  }
}

double size_of(float spread) {
  return static_cast<double>(spread) * 4 * static_cast<double>(1 + spread * spread);
}

}  // namespace

TEST_CASE("attention agrees with double arithmetic on every ISA", "[kernel]") {
  for (const auto& [L, d] : std::vector<std::pair<int64_t, int64_t>>{
           {1, 1}, {1, 32}, {2, 7}, {3, 64}, {15, 32}, {16, 32}, {17, 33}, {49, 8}, {64, 128}, {130, 32}, {600, 16}})
    for (const float spread : {0.1f, 1.0f, 3.0f})
      check(Head(L, d, spread, static_cast<unsigned>(L * 1000 + d)), size_of(spread));
}

TEST_CASE("attention sees its window alone, and adds its bias", "[kernel]") {
  for (const int64_t L : {1, 2, 31, 33, 64, 130, 300, 700}) {
    for (const auto& [before, after] : std::vector<std::pair<int64_t, int64_t>>{
             {L, L}, {0, 0}, {1, 1}, {2, 5}, {64, 64}, {40, 0}, {L, 0}, {0, L}, {INT32_MAX, INT32_MAX}}) {
      for (const bool biased : {false, true}) {
        Head head(L, 16, 1, static_cast<unsigned>(L));
        head.before = before, head.after = after;
        if (biased)
          for (int64_t i = 0; i < 2 * L - 1; ++i) head.bias.push_back(static_cast<float>(i % 7) - 3);
        check(head, size_of(1));
      }
    }
  }
}

TEST_CASE("attention caps its scores", "[kernel]") {
  for (const int64_t L : {1, 17, 64, 200}) {
    for (const float cap : {0.5f, 3.0f, 50.0f}) {
      for (const bool shaped : {false, true}) {
        Head head(L, 32, 3, static_cast<unsigned>(L));
        head.softcap = cap;
        if (shaped) {
          head.before = 20, head.after = 0;
          for (int64_t i = 0; i < 2 * L - 1; ++i) head.bias.push_back(static_cast<float>(i % 5) - 2);
        }
        check(head, size_of(3));
      }
    }
  }
}

TEST_CASE("attention survives zeros, equal keys and huge values", "[kernel]") {
  for (const KernelTable* table : tested_kernels()) {
    for (const AttentionKernel* kernel : {&table->attention_f32, &table->attention_i16}) {
      INFO(table->name << (kernel == &table->attention_i16 ? " i16" : " f32"));
      Head head(37, 24, 1, 5);
      std::fill(head.qkv.begin(), head.qkv.end(), 0.0f);
      for (const float v : head.run(*kernel)) REQUIRE(v == 0.0f);
      std::fill(head.qkv.begin(), head.qkv.end(), -2.0f);  // all scores equal: the mean of equal values
      for (const float v : head.run(*kernel)) REQUIRE(v == Approx(-2).epsilon(1e-5));
      Head huge(37, 24, 1e4f, 6);
      for (const float v : huge.run(*kernel)) REQUIRE(std::isfinite(v));
    }
  }
}
