#include "quants/q8/short_sums.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

#include "quants/compensate.h"
#include "quants/q8/q8.h"

namespace quern {
namespace {

constexpr int64_t kStep = ShortSums::kStep;
constexpr int kMost = 128;  // 255 · 128 is the largest sum of activations times weights of one sign that int16 holds
constexpr std::align_val_t kAlignment{64};

constexpr int64_t kSlack = 16;  // columns that the first steps may need more of than their share

// Instructions for a row and a step, by the mixes of isa/avx2; an extra step is gathered too.
constexpr double kCost1 = 10.7, kCost2 = 7, kCost4 = 6, kCostExtra = 8.3;

// What one k of 16 outputs has too much.
struct Column {
  int64_t k;
  std::array<int8_t, kPanel> excess;
};

// A panel's steps whose sums fit, and what they lack.
struct Split {
  std::vector<int8_t> weights;
  std::vector<Column> columns;  // by k
};

class Splitter {
 public:
  Splitter(Overflows overflows, int chain) : overflows_(overflows), chain_(chain) {}

  // False: it had to expect more than `most` columns.
  bool run(Split& split, int64_t most) {
    split.columns.clear();
    int8_t* const w = split.weights.data();
    const int64_t n = static_cast<int64_t>(split.weights.size()) / kStep;
    for (int64_t step = 0; step < n; step += 2) {
      int8_t* const two = w + step * kStep;
      for (uint64_t found = overflows_(two, chain_); found; found &= found - 1) {
        const int bit = std::countr_zero(found), output = bit % 32 / 2;
        int8_t* const at = two + bit / 32 * kStep + output * 4 + bit % 2 * 2;
        if (chain_ == 4)
          fit(split, {at, at + 1, at + kStep, at + kStep + 1}, output);
        else
          fit(split, {at, at + 1}, output);
      }
      if (static_cast<int64_t>(split.columns.size()) > kSlack + most * (step + 2) / n) return false;
    }
    std::sort(split.columns.begin(), split.columns.end(), [](const Column& a, const Column& b) { return a.k < b.k; });
    return true;
  }

 private:
  // Lessens the largest of the codes that are added up until the positive and the negative ones fit.
  void fit(Split& split, std::initializer_list<int8_t*> codes, int output) {
    for (const int sign : {1, -1})
      for (;;) {
        int sum = 0;
        int8_t* best = nullptr;
        Column* column = nullptr;  // of best, where there is one already: no further step is wanted then
        for (int8_t* code : codes) {
          const int value = sign * *code;
          if (value <= 0) continue;
          sum += value;
          Column* const has = find(split, code);
          if (!best || (has && !column) || (!has == !column && value > sign * *best)) best = code, column = has;
        }
        if (sum <= kMost) break;
        const int less = std::min(sum - kMost, sign * *best);
        *best = static_cast<int8_t>(*best - sign * less);
        if (!column) column = &split.columns.emplace_back(Column{k_of(split, best), {}});
        column->excess[static_cast<size_t>(output)] =
            static_cast<int8_t>(column->excess[static_cast<size_t>(output)] + sign * less);
      }
  }
  static int64_t k_of(const Split& split, const int8_t* code) {
    const int64_t at = code - split.weights.data();
    return at / kStep * 4 + at % 4;
  }
  // The columns of two steps are the last ones.
  static Column* find(Split& split, const int8_t* code) {
    const int64_t k = k_of(split, code);
    for (size_t i = split.columns.size(); i-- > 0 && split.columns[i].k >= k / 8 * 8;)
      if (split.columns[i].k == k) return &split.columns[i];
    return nullptr;
  }

  const Overflows overflows_;
  const int chain_;
};

// Whether two columns may stand side by side.
bool add_up(const Column& a, const Column& b) {
  for (size_t i = 0; i < kPanel; ++i)
    if (a.excess[i] * b.excess[i] > 0 && std::abs(a.excess[i] + b.excess[i]) > kMost) return false;
  return true;
}

// Columns two and two, such that each two add up: pairs of indexes, -1 for none. An even number of pairs.
std::vector<std::array<int, 2>> pair_up(const std::vector<Column>& columns) {
  std::vector<std::array<int, 2>> pairs;
  std::vector<size_t> open;
  for (int i = 0; i < static_cast<int>(columns.size()); ++i) {
    const auto fits = [&](size_t pair) {
      return add_up(columns[static_cast<size_t>(pairs[pair][0])], columns[static_cast<size_t>(i)]);
    };
    const auto at = std::find_if(open.begin(), open.end(), fits);
    if (at == open.end()) {
      open.push_back(pairs.size());
      pairs.push_back({i, -1});
    } else {
      pairs[*at][1] = i;
      open.erase(at);
    }
  }
  if (pairs.size() % 2) pairs.push_back({-1, -1});
  return pairs;
}

struct Free {
  void operator()(void* p) const { ::operator delete(p, kAlignment); }
};

// With the memory that it points into.
struct OwnedShortSums : ShortSums {
  std::vector<Panel> all;
  std::unique_ptr<int8_t, Free> weights;
  std::vector<int8_t> extra;
  std::vector<uint16_t> k;
};

class Maker {
 public:
  Maker(const Matrix& w, Overflows overflows)
      : w_(w), K_(Q8::padded(w.K)), overflows_(overflows), out_(std::make_shared<OwnedShortSums>()) {
    out_->steps = round_up(K_ / 4, 2);
  }

  std::shared_ptr<const void> make() {
    const int64_t panels = (w_.N + kPanel - 1) / kPanel, bytes = out_->steps * kStep;
    out_->weights.reset(static_cast<int8_t*>(::operator new(static_cast<size_t>(panels * bytes), kAlignment)));
    out_->all.resize(static_cast<size_t>(panels));
    std::vector<size_t> first_extra;
    for (int64_t p = 0; p < panels; ++p) {
      first_extra.push_back(out_->k.size());
      make_panel(p, out_->weights.get() + p * bytes, out_->all[static_cast<size_t>(p)]);
    }
    for (size_t p = 0; p < first_extra.size(); ++p) {
      out_->all[p].k = out_->k.data() + first_extra[p];
      out_->all[p].extra = out_->extra.data() + first_extra[p] * kPanel;
    }
    out_->panels = out_->all.data();
    return out_;
  }

 private:
  const int8_t* codes(int64_t panel) const { return static_cast<const int8_t*>(w_.arrays[0]) + panel * kPanel * K_; }

  void make_panel(int64_t p, int8_t* to, ShortSums::Panel& panel) {
    const double steps = static_cast<double>(out_->steps);
    panel = {.weights = to, .extra = nullptr, .k = nullptr, .n_extra = 0, .chain = 1};
    double best = kCost1 * steps;
    for (const int chain : {2, 4}) {  // pairs rarely need much: what they cost soon shows when fours need more
      const double cost = (chain == 4 ? kCost4 : kCost2) * steps;
      if (cost >= best) break;
      if (!try_chain(p, chain, (best - cost) / kCostExtra, to, panel)) continue;
      best = cost + kCostExtra * panel.n_extra;
    }
    if (panel.chain == 1) {
      widen(p, to);
      out_->any_wide = true;
    }
    add_extra(panel);
  }

  // Takes this chain if it needs fewer extra steps than `most`.
  bool try_chain(int64_t p, int chain, double most, int8_t* to, ShortSums::Panel& panel) {
    Split split;
    split.weights.assign(codes(p), codes(p) + K_ * kPanel);
    split.weights.resize(static_cast<size_t>(out_->steps * kStep));
    if (!Splitter(overflows_, chain).run(split, static_cast<int64_t>(4 * most))) return false;
    auto pairs = pair_up(split.columns);
    if (static_cast<double>(pairs.size() / 2) >= most && !pairs.empty()) return false;
    std::memcpy(to, split.weights.data(), split.weights.size());
    panel.chain = chain;
    panel.n_extra = static_cast<int32_t>(pairs.size() / 2);
    columns_ = std::move(split.columns);
    pairs_ = std::move(pairs);
    return true;
  }

  // [16 outputs][4 k] → twice [16 outputs][2 k]
  void widen(int64_t p, int8_t* to) const {
    std::memset(to, 0, static_cast<size_t>(out_->steps * kStep));
    const int8_t* from = codes(p);
    for (int64_t step = 0; step < K_ / 4; ++step, from += kStep, to += kStep)
      for (int output = 0; output < kPanel; ++output)
        for (int k = 0; k < 4; ++k) to[k / 2 * 32 + output * 2 + k % 2] = from[output * 4 + k];
  }

  void add_extra(const ShortSums::Panel& panel) {
    out_->most_extra = std::max(out_->most_extra, int64_t{panel.n_extra});
    if (panel.n_extra == 0) return;
    for (size_t pair = 0; pair < pairs_.size(); pair += 2) {
      const int columns[4] = {pairs_[pair][0], pairs_[pair][1], pairs_[pair + 1][0], pairs_[pair + 1][1]};
      for (const int c : columns)
        out_->k.push_back(c < 0 ? uint16_t{0} : static_cast<uint16_t>(columns_[static_cast<size_t>(c)].k));
      for (size_t output = 0; output < kPanel; ++output)
        for (const int c : columns)
          out_->extra.push_back(c < 0 ? int8_t{0} : columns_[static_cast<size_t>(c)].excess[output]);
    }
  }

  const Matrix& w_;
  const int64_t K_;
  const Overflows overflows_;
  std::shared_ptr<OwnedShortSums> out_;
  std::vector<Column> columns_;
  std::vector<std::array<int, 2>> pairs_;
};

}  // namespace

std::shared_ptr<const void> make_short_sums(const Matrix& w, Overflows overflows) {
  return Maker(w, overflows).make();
}

}  // namespace quern
