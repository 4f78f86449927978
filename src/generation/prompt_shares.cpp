#include "generation/prompt_shares.h"

#include <algorithm>
#include <numeric>

namespace quern {

std::vector<int64_t> prompt_shares(std::span<const int64_t> waiting, int64_t room, std::span<const double> costs) {
  std::vector<int64_t> shares(waiting.size());
  if (waiting.empty()) return shares;
  const auto cost = [&](size_t i) { return costs.empty() ? 1.0 : costs[i]; };
  const auto work = [&](size_t i) { return static_cast<double>(waiting[i]) * cost(i); };
  std::vector<size_t> order(waiting.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return work(a) < work(b); });
  double left = static_cast<double>(room);
  const auto give = [&](size_t i, int64_t n) {
    shares[i] += n;
    left -= static_cast<double>(n) * cost(i);
  };
  const double quarter = static_cast<double>(room / 4);
  give(0, std::min(waiting[0], std::max<int64_t>(1, static_cast<int64_t>(quarter / cost(0)))));
  for (const size_t i : order)
    give(i, std::min(static_cast<int64_t>(std::max(left, 0.0) / cost(i)), waiting[i] - shares[i]));
  return shares;
}

}  // namespace quern
