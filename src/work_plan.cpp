#include "work_plan.h"

#include <algorithm>
#include <numeric>

namespace quern {
namespace {

constexpr double kSplitRate = 0.9;  // of threads on one text, of what they make on a text each

// The costliest first, each to whoever has the least: within a third of the best (Graham, 1969). → the largest load.
double share_out(std::span<const size_t> texts, std::span<const double> costs, std::vector<std::vector<size_t>>& shares,
                 std::vector<double>& loads) {
  for (auto& share : shares) share.clear();
  std::fill(loads.begin(), loads.end(), 0.0);
  for (const size_t text : texts) {
    const size_t least = static_cast<size_t>(std::min_element(loads.begin(), loads.end()) - loads.begin());
    shares[least].push_back(text);
    loads[least] += costs[text];
  }
  return *std::max_element(loads.begin(), loads.end());
}

}  // namespace

WorkPlan plan_work(std::span<const double> costs, size_t threads, double split_cost) {
  std::vector<size_t> order(costs.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return costs[a] > costs[b]; });
  WorkPlan best;
  std::vector<std::vector<size_t>> shares(threads);
  std::vector<double> loads(threads);
  double best_time = 0, split_time = 0;
  for (size_t n_split = 0; n_split <= order.size(); ++n_split) {
    if (n_split > 0) split_time += costs[order[n_split - 1]] / (static_cast<double>(threads) * kSplitRate) + split_cost;
    const double time = split_time + share_out(std::span(order).subspan(n_split), costs, shares, loads);
    if (n_split > 0 && time >= best_time) continue;
    best_time = time;
    best = {{order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n_split)}, shares};
    if (threads == 1) break;
  }
  return best;
}

}  // namespace quern
