#include "models/relative_bias.h"

#include <algorithm>
#include <cstdlib>

#include "exact_math.h"

namespace quern {
namespace {

// In f32, in the reference's order of operations: its roundings decide where a bucket ends.
int64_t bucket_of(int64_t distance, int64_t n, int64_t farthest) {
  const int64_t half = n / 2, alone = half / 2, away = std::abs(distance);
  const int64_t side = distance > 0 ? half : 0;
  if (away < alone) return side + away;
  const float scale = static_cast<float>(logarithm(static_cast<double>(farthest) / static_cast<double>(alone)));
  const float share =
      static_cast<float>(logarithm(static_cast<double>(static_cast<float>(away) / static_cast<float>(alone)))) / scale;
  return side + std::min(half - 1, alone + static_cast<int64_t>(share * static_cast<float>(half - alone)));
}

}  // namespace

Tensor relative_biases(Ops& op, const Table& buckets, int64_t longest, int64_t farthest) {
  std::vector<int32_t> ids;
  for (int64_t distance = 1 - longest; distance < longest; ++distance)
    ids.push_back(static_cast<int32_t>(bucket_of(distance, buckets.rows, farthest)));
  const Ops::Lookup of_distances[] = {{buckets, ids}};
  return op.transpose(op.lookup(of_distances));
}

}  // namespace quern
