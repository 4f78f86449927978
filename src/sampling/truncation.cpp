// See candidates.h.
#include <algorithm>
#include <cmath>
#include <limits>

#include "candidates.h"
#include "exponential.h"

namespace quern {
namespace {

double total_weight(const std::vector<Candidate>& candidates) {
  double total = 0;
  for (const Candidate& c : candidates) total += c.weight;
  return total;
}

// Cuts the list behind the first candidates, in the order of `before`, for which enough(their weight so far) comes
// true. Sorts no more than it needs: parts that grow.
template <class Before, class Enough>
void keep_first(std::vector<Candidate>& candidates, Before before, Enough enough) {
  double so_far = 0;
  for (size_t begin = 0, n = 128; begin < candidates.size(); begin += n, n *= 4) {
    n = std::min(n, candidates.size() - begin);
    const auto first = candidates.begin() + static_cast<ptrdiff_t>(begin), last = first + static_cast<ptrdiff_t>(n);
    if (last != candidates.end()) std::nth_element(first, last - 1, candidates.end(), before);
    std::sort(first, last, before);
    for (auto c = first; c != last; ++c) {
      so_far += c->weight;
      if (!enough(so_far)) continue;
      candidates.erase(c + 1, candidates.end());
      return;
    }
  }
}

void apply_top_p(std::vector<Candidate>& candidates, float top_p) {
  const double mass = top_p * total_weight(candidates);
  keep_first(candidates, likelier, [=](double so_far) { return so_far >= mass; });
}

void apply_min_p(std::vector<Candidate>& candidates, float min_p) {
  std::erase_if(candidates, [=](const Candidate& c) { return c.weight < min_p; });
}

// Those whose surprise -log p is nearest to its mean, the entropy, up to the mass.
void apply_typical_p(std::vector<Candidate>& candidates, float typical_p) {
  const double total = total_weight(candidates);
  const auto surprise = [=](const Candidate& c) {
    return c.weight > 0 ? std::log(total / c.weight) : std::numeric_limits<double>::infinity();
  };
  double entropy = 0;
  for (const Candidate& c : candidates)
    if (c.weight > 0) entropy += c.weight / total * surprise(c);
  const auto nearer = [=](const Candidate& a, const Candidate& b) {
    const double to_a = std::abs(surprise(a) - entropy), to_b = std::abs(surprise(b) - entropy);
    return to_a < to_b || (to_a == to_b && a.id < b.id);
  };
  keep_first(candidates, nearer, [=](double so_far) { return so_far >= typical_p * total; });
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
