// See candidates.h.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "candidates.h"
#include "exact_math.h"

namespace quern {
namespace {

double total_weight(const std::vector<Candidate>& candidates) {
  double total = 0;
  for (const Candidate& c : candidates) total += c.weight;
  return total;
}

// Keeps the candidates with the lowest keys, of equal ones those with the lowest ids, until their weight reaches the
// mass; in the order that they are in. Only those near the border are sorted: weights are first summed by ranges of
// keys.
template <class Key>
void keep_lowest(std::vector<Candidate>& candidates, Key key_of, double mass) {
  constexpr size_t n_ranges = 2048;
  std::vector<double> keys;
  keys.reserve(candidates.size());
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const Candidate& c : candidates) {
    const double key = key_of(c);
    keys.push_back(key);
    if (std::isinf(key)) continue;
    low = std::min(low, key);
    high = std::max(high, key);
  }
  const double scale = high > low ? (n_ranges - 1) / (high - low) : 0;
  const auto range_of = [&](double key) {
    return std::isinf(key) ? n_ranges - 1 : std::min(static_cast<size_t>((key - low) * scale), n_ranges - 1);
  };
  std::vector<double> weights(n_ranges, 0);
  for (size_t i = 0; i < keys.size(); ++i) weights[range_of(keys[i])] += candidates[i].weight;
  double so_far = 0;
  size_t border = 0;
  while (border + 1 < n_ranges && so_far + weights[border] < mass) so_far += weights[border++];

  std::vector<size_t> places;  // of those at the border
  for (size_t i = 0; i < keys.size(); ++i)
    if (range_of(keys[i]) == border) places.push_back(i);
  const auto order = [&](size_t i) { return std::pair(keys[i], candidates[i].id); };
  std::sort(places.begin(), places.end(), [&](size_t a, size_t b) { return order(a) < order(b); });
  size_t n_last = 0;
  while (n_last < places.size() && (n_last == 0 || so_far < mass)) so_far += candidates[places[n_last++]].weight;
  std::vector<uint8_t> out(candidates.size(), 0);
  for (size_t i = n_last; i < places.size(); ++i) out[places[i]] = 1;
  size_t n_kept = 0;
  for (size_t i = 0; i < keys.size(); ++i)
    if (range_of(keys[i]) <= border && !out[i]) candidates[n_kept++] = candidates[i];
  candidates.resize(n_kept);
}

void apply_top_p(std::vector<Candidate>& candidates, float top_p) {
  keep_lowest(
      candidates, [](const Candidate& c) { return -double{c.logit}; }, top_p * total_weight(candidates));
}

void apply_min_p(std::vector<Candidate>& candidates, float min_p) {
  std::erase_if(candidates, [=](const Candidate& c) { return c.weight < min_p; });
}

// Those whose surprise -log p is nearest to its mean, the entropy, up to the mass.
void apply_typical_p(std::vector<Candidate>& candidates, float typical_p) {
  const double total = total_weight(candidates);
  const auto surprise = [=](const Candidate& c) {
    return c.weight > 0 ? logarithm(total / c.weight) : std::numeric_limits<double>::infinity();
  };
  double entropy = 0;
  for (const Candidate& c : candidates)
    if (c.weight > 0) entropy += c.weight / total * surprise(c);
  keep_lowest(
      candidates, [=](const Candidate& c) { return std::abs(surprise(c) - entropy); }, typical_p * total);
}

constexpr struct {
  float SamplingOptions::*value;
  float off;
  void (*apply)(std::vector<Candidate>&, float value);
} stages[] = {
    {&SamplingOptions::top_p, 1, apply_top_p},
    {&SamplingOptions::min_p, 0, apply_min_p},
    {&SamplingOptions::typical_p, 1, apply_typical_p},
};

}  // namespace

void select_likeliest(std::span<const float> logits, size_t k, std::vector<Candidate>& out) {
  out.clear();
  const size_t n = logits.size();
  // Room for more than k: whenever it is full, the k likeliest stay, and what is below them need not come in.
  const size_t room = k < n ? 2 * k + 64 : n;
  float least = -std::numeric_limits<float>::infinity();
  const auto keep_k = [&] {
    if (out.size() <= k) return;
    std::nth_element(out.begin(), out.begin() + static_cast<ptrdiff_t>(k - 1), out.end(), likelier);
    out.resize(k);
    least = out[k - 1].logit;
  };
  for (size_t i = 0; i < n; ++i) {
    if (!(logits[i] > least)) continue;  // an equal one has a higher id than all that came in
    out.push_back({static_cast<int32_t>(i), logits[i], 0});
    if (out.size() >= room && k < n) keep_k();
  }
  keep_k();
}

void weigh(std::vector<Candidate>& candidates, float temperature) {
  float most = -std::numeric_limits<float>::infinity();
  for (const Candidate& c : candidates) most = std::max(most, c.logit);
  for (Candidate& c : candidates) c.weight = exponential((double{c.logit} - most) / temperature);
}

void truncate(std::vector<Candidate>& candidates, const SamplingOptions& options) {
  for (const auto& stage : stages)
    if (options.*stage.value != stage.off) stage.apply(candidates, options.*stage.value);
}

}  // namespace quern
