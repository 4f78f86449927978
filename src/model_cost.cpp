#include "model_cost.h"

#include <algorithm>

namespace quern {
namespace {

// Sum over the tokens of a text of n of how many others each sees on one side, at most `limit`.
double seen_on_a_side(int64_t n, int64_t limit) {
  const double all = static_cast<double>(n), most = static_cast<double>(std::min(limit, n - 1));
  return most * (most + 1) / 2 + (all - 1 - most) * most;
}

}  // namespace

Macs text_macs(const LoadedModel& m, int64_t n) {
  Macs macs;
  if (n <= 0) return macs;
  for (const WeightMap::Range& layer : m.weights.layers)
    for (size_t i = layer.begin; i < layer.end; ++i)
      if (const WeightSpec& spec = m.weights.specs[i]; spec.linear)
        macs.products += static_cast<double>(spec.N) * static_cast<double>(spec.K) * static_cast<double>(n);
  for (int i = 0; i < m.model->layers(); ++i) {
    const AttentionReach reach = m.model->reach(i);
    const double pairs = static_cast<double>(n) + seen_on_a_side(n, reach.before) + seen_on_a_side(n, reach.after);
    macs.attention += 2 * static_cast<double>(reach.width) * pairs;
  }
  return macs;
}

}  // namespace quern
