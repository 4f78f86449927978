// How a few texts share out over threads.
#pragma once
#include <cstddef>
#include <span>
#include <vector>

namespace quern {

struct WorkPlan {
  std::vector<size_t> split;                // one after the other, each on all threads
  std::vector<std::vector<size_t>> shares;  // of each thread; what `split` leaves
};

// costs: of each text, in any unit; split_cost: what running one on all threads adds, for the threads' waiting for one
// another. Texts that would keep one thread busy while others idle are split, the costliest first; the rest is shared
// out so that threads end together. At most some hundred texts: the time grows with their square.
WorkPlan plan_work(std::span<const double> costs, size_t threads, double split_cost);

}  // namespace quern
