#include "generation/prompt_shares.h"

#include <algorithm>
#include <numeric>

namespace quern {

std::vector<int64_t> prompt_shares(std::span<const int64_t> waiting, int64_t room) {
  std::vector<int64_t> shares(waiting.size());
  if (waiting.empty()) return shares;
  std::vector<size_t> order(waiting.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return waiting[a] < waiting[b]; });
  shares[0] = std::min(waiting[0], std::max<int64_t>(1, room / 4));
  room -= shares[0];
  for (const size_t i : order) {
    const int64_t n = std::min(room, waiting[i] - shares[i]);
    shares[i] += n;
    room -= n;
  }
  return shares;
}

}  // namespace quern
