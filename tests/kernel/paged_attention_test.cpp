// Attention over kept keys and values on every ISA: against double arithmetic over what was kept, rows and stretches
// apart and together equal to the bit.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "buffer.h"
#include "host_kv_cache.h"
#include "host_ops.h"
#include "quants/half.h"
#include "tables.h"

using namespace quern;

namespace {

constexpr int64_t kEverything = INT32_MAX;
constexpr KvType kKept[] = {KvType::f16, KvType::i8, KvType::f32};

const char* name_of(KvType type) {
  constexpr const char* names[] = {"f16", "i8", "f32"};
  return names[static_cast<size_t>(type)];
}

struct Result {
  std::vector<float> top, total, out;  // a row's state
  bool operator==(const Result&) const = default;
};

// A head's keys and values in pages that lie out of order between those of another head, and rows that look at them.
struct Kept {
  KvType type;
  int64_t keys, d, window = kEverything;
  float softcap = 0;
  std::vector<float> k, v, q;
  std::vector<int32_t> position, pages;

  // Values that are kept exactly: a few bits, for i8 times a row's power of two, with one code at the end of the range.
  Kept(KvType type, int64_t keys, int64_t d, std::vector<int32_t> at) : type(type), keys(keys), d(d), position(at) {
    std::mt19937 random(static_cast<unsigned>(keys * 1000 + d));
    const auto fill = [&](std::vector<float>& x) {
      for (int64_t t = 0; t < keys; ++t) {
        const float step = std::ldexp(1.0f, -6 - static_cast<int>(random() % 3));
        for (int64_t i = 0; i < d; ++i)
          x.push_back(step * static_cast<float>(i == t % d ? 127 : static_cast<int>(random() % 255) - 127));
      }
    };
    fill(k), fill(v);
    std::normal_distribution<float> normal(0, 1 / std::sqrt(static_cast<float>(d)));
    for (size_t i = 0; i < position.size() * static_cast<size_t>(d); ++i) q.push_back(normal(random));
    for (int64_t page = (keys + kPageTokens - 1) / kPageTokens; page-- > 0;)
      pages.push_back(static_cast<int32_t>(page * 7 % 11 + page / 11 * 11));
  }
  int64_t rows() const { return static_cast<int64_t>(position.size()); }
};

constexpr int64_t kHeads = 2, kHead = 1;

class Pages {
 public:
  Pages(const KernelTable& table, const Kept& c)
      : kernel_(table.kv[static_cast<int>(c.type)]),
        c_(c),
        bytes_(kernel_.page_bytes(c.d)),
        memory_(bytes_ * kHeads *
                static_cast<size_t>(1 + (c.pages.empty() ? 0 : *std::max_element(c.pages.begin(), c.pages.end())))),
        scratch_(kernel_.scratch_bytes(c.d)) {
    REQUIRE(bytes_ % 64 == 0);
    for (const int32_t page : c.pages) std::memset(at(page), 0, bytes_);
    for (int64_t t = 0; t < c.keys; ++t)
      kernel_.store(&c.k[static_cast<size_t>(t * c.d)], &c.v[static_cast<size_t>(t * c.d)], c.d, t % kPageTokens,
                    at(c.pages[static_cast<size_t>(t / kPageTokens)]));
  }

  // Rows [first, first + n), over the keys of stretches that end at `ends`.
  Result attend(int64_t first, int64_t n, const std::vector<int64_t>& ends) const {
    const size_t rows = static_cast<size_t>(n);
    Result r{std::vector<float>(rows, -INFINITY), std::vector<float>(rows, 0.0f),
             std::vector<float>(rows * static_cast<size_t>(c_.d) + 1, 0.0f)};
    r.out.back() = -777;
    int64_t begin = 0;
    for (const int64_t end : ends) {
      kernel_.attend({.q = &c_.q[static_cast<size_t>(first * c_.d)],
                      .position = &c_.position[static_cast<size_t>(first)],
                      .rows = n,
                      .d = c_.d,
                      .window = c_.window,
                      .softcap = c_.softcap,
                      .first = at(0),
                      .pages = c_.pages.data(),
                      .page_stride = static_cast<int64_t>(bytes_) * kHeads,
                      .begin = begin,
                      .end = end,
                      .top = r.top.data(),
                      .total = r.total.data(),
                      .out = r.out.data()},
                     scratch_.get());
      begin = end;
    }
    REQUIRE(r.out.back() == -777);  // not overrun
    r.out.pop_back();
    return r;
  }
  Result all() const { return attend(0, c_.rows(), {c_.keys}); }

 private:
  char* at(int32_t page) const { return memory_.get() + (page * kHeads + kHead) * static_cast<int64_t>(bytes_); }
  const PagedKernel& kernel_;
  const Kept& c_;
  size_t bytes_;
  Buffer memory_, scratch_;
};

std::vector<double> exact(const Kept& c) {
  std::vector<double> out(c.q.size());
  for (int64_t r = 0; r < c.rows(); ++r) {
    const int64_t last = std::min<int64_t>(c.position[static_cast<size_t>(r)], c.keys - 1);
    const int64_t first = std::max<int64_t>(0, c.position[static_cast<size_t>(r)] - c.window + 1);
    std::vector<double> s;
    double top = -HUGE_VAL, total = 0;
    for (int64_t j = first; j <= last; ++j) {
      double dot = 0;
      for (int64_t i = 0; i < c.d; ++i)
        dot += static_cast<double>(c.q[static_cast<size_t>(r * c.d + i)]) *
               static_cast<double>(c.k[static_cast<size_t>(j * c.d + i)]);
      const double cap = static_cast<double>(c.softcap);
      s.push_back(cap > 0 ? cap * std::tanh(dot / cap) : dot);
      top = std::max(top, s.back());
    }
    for (double& p : s) total += p = std::exp(p - top);
    for (int64_t j = first; j <= last; ++j)
      for (int64_t i = 0; i < c.d; ++i)
        out[static_cast<size_t>(r * c.d + i)] +=
            s[static_cast<size_t>(j - first)] / total * static_cast<double>(c.v[static_cast<size_t>(j * c.d + i)]);
  }
  return out;
}

double worst(const Result& found, const std::vector<double>& exact, int64_t d) {
  double error = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    const double value =
        static_cast<double>(found.out[i]) / static_cast<double>(found.total[i / static_cast<size_t>(d)]);
    const double e = std::fabs(value - exact[i]);
    error = e <= error ? error : e;  // NaN counts
  }
  return error;
}

void check(const Kept& c) {
  const auto expected = exact(c);
  for (const KernelTable* table : tested_kernels()) {
    INFO(table->name << " " << name_of(c.type) << ": keys " << c.keys << " d " << c.d << " rows " << c.rows()
                     << " window " << c.window << " softcap " << c.softcap);
    const Pages pages(*table, c);
    const Result all = pages.all();
    CHECK(worst(all, expected, c.d) < 1e-5);  // values are up to 2
    for (int64_t r = 0; r < c.rows(); ++r) {
      const Result one = pages.attend(r, 1, {c.keys});
      const size_t at = static_cast<size_t>(r);
      REQUIRE(one.top[0] == all.top[at]);
      REQUIRE(one.total[0] == all.total[at]);
      REQUIRE(std::memcmp(one.out.data(), &all.out[at * static_cast<size_t>(c.d)], one.out.size() * sizeof(float)) ==
              0);
    }
    // Stretch by stretch.
    std::vector<int64_t> ends;
    for (int64_t end = kPageTokens; end < c.keys; end += kPageTokens) ends.push_back(end);
    ends.push_back(c.keys);
    REQUIRE(pages.attend(0, c.rows(), ends) == all);
  }
}

std::vector<int32_t> places(int64_t first, int64_t n, int64_t sharing = 1) {
  std::vector<int32_t> at;
  for (int64_t i = 0; i < n * sharing; ++i) at.push_back(static_cast<int32_t>(first + i / sharing));
  return at;
}

}  // namespace

TEST_CASE("paged attention agrees with double arithmetic on every ISA", "[kernel]") {
  for (const KvType type : kKept) {
    for (const int64_t d : {1, 7, 16, 32, 40, 64, 80, 96, 100, 128, 256})
      for (const int64_t keys : {1, 5, 32, 33, 70}) check(Kept(type, keys, d, places(keys - 1, 1)));
    for (const int64_t rows : {2, 3, 4, 5, 7, 13}) check(Kept(type, 90, 40, places(90 - rows, rows)));
    check(Kept(type, 300, 64, places(292, 8, 3)));  // three heads of queries share keys
    check(Kept(type, 64, 24, places(0, 64)));       // from a text's beginning
  }
}

TEST_CASE("paged attention sees its window alone, and caps scores", "[kernel]") {
  for (const KvType type : kKept)
    for (const int64_t window :
         {int64_t{1}, int64_t{2}, int64_t{31}, int64_t{32}, int64_t{33}, int64_t{64}, int64_t{100}, kEverything})
      for (const float cap : {0.0f, 0.5f, 5.0f, 50.0f}) {
        Kept c(type, 130, 48, places(118, 6, 2));
        c.window = window;
        c.softcap = cap;
        check(c);
        Kept begin(type, 70, 16, places(0, 70));
        begin.window = window;
        begin.softcap = cap;
        check(begin);
      }
}

TEST_CASE("paged attention rounds what is kept, and survives zeros and huge values", "[kernel]") {
  for (const KvType type : kKept)
    for (const KernelTable* table : tested_kernels()) {
      INFO(table->name << " " << name_of(type));
      Kept c(type, 100, 40, places(90, 10));
      std::mt19937 random(3);
      std::normal_distribution<float> normal;
      for (float& x : c.k) x = normal(random);
      for (float& x : c.v) x = normal(random);
      CHECK(worst(Pages(*table, c).all(), exact(c), c.d) < (type == KvType::i8 ? 0.05 : 2e-3));
      std::fill(c.v.begin(), c.v.end(), 0.0f);
      std::fill(c.k.begin(), c.k.end(), 0.0f);
      for (const float x : Pages(*table, c).all().out) REQUIRE(x == 0.0f);
      std::fill(c.v.begin(), c.v.end(), -2.0f);  // all scores equal: the mean of equal values
      CHECK(worst(Pages(*table, c).all(), exact(c), c.d) < 1e-5);
      for (float& x : c.k) x = 6e4f * normal(random) / 4;
      for (float& x : c.q) x *= 100;
      const Result huge = Pages(*table, c).all();
      for (const float x : huge.out) REQUIRE(std::isfinite(x));
    }
}

TEST_CASE("paged attention does not see what is kept behind its keys", "[kernel]") {
  for (const KvType type : kKept)
    for (const KernelTable* table : tested_kernels()) {
      INFO(table->name << " " << name_of(type));
      const Kept all(type, 96, 40, places(60, 1));
      Kept part = all;
      part.keys = 61;
      CHECK(Pages(*table, all).attend(0, 1, {61}) == Pages(*table, part).attend(0, 1, {61}));
    }
}

TEST_CASE("paged attention of texts does not depend on how many tokens come together, to the bit", "[kernel]") {
  constexpr int64_t kTokens = 1300, d = 16, heads = 4, kv_heads = 2;
  std::mt19937 random(4);
  std::normal_distribution<float> normal;
  std::vector<float> qkv(kTokens * (heads + 2 * kv_heads) * d);
  for (float& x : qkv) x = normal(random);
  std::vector<int32_t> pages;
  for (int64_t i = 0; i < 41; ++i) pages.push_back(static_cast<int32_t>((i * 17) % 41));
  for (const KvType type : kKept) {
    for (const int64_t window : {kEverything, int64_t{40}, int64_t{600}}) {
      const auto run = [&](const std::vector<int64_t>& chunks, Pool* pool) {
        const KernelTable& table = default_kernels();
        HostKvCache cache(table, {.type = type, .layers = 1, .heads = kv_heads, .d = d}, 41);
        std::vector<float> out;
        int64_t past = 0;
        for (size_t c = 0; past < kTokens; ++c) {
          const int64_t n = std::min(chunks[c % chunks.size()], kTokens - past);
          HostOps op(table, {.pool = pool});
          constexpr int64_t width = (heads + 2 * kv_heads) * d;
          const Tensor all = TensorData::view(&qkv[static_cast<size_t>(past * width)], n, width, width);
          const Sequence text{0, n, past, pages.data()};
          const Tensor y = op.paged_attention(all.columns(0, heads * d), all.columns(heads * d, kv_heads * d),
                                              all.columns((heads + kv_heads) * d, kv_heads * d), {&text, 1}, cache, 0,
                                              {.heads = heads, .kv_heads = kv_heads, .scale = 0.25f, .window = window});
          std::vector<float> room;
          const auto values = op.read(y, room);
          out.insert(out.end(), values.begin(), values.end());
          past += n;
        }
        return out;
      };
      INFO(name_of(type) << ", window " << window);
      const auto whole = run({kTokens}, nullptr);
      for (const float x : whole) REQUIRE(std::isfinite(x));
      Pool pool(3);
      CHECK(run({kTokens}, &pool) == whole);
      for (const std::vector<int64_t>& chunks :
           {std::vector<int64_t>{1}, {13}, {12, 1, 700}, {512, 1, 1, 100}, {600, 11, 12, 13}}) {
        CHECK(run(chunks, nullptr) == whole);
        CHECK(run(chunks, &pool) == whole);
      }
    }
  }
}
