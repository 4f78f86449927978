#include "models/relative_bias.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace quern {
namespace {

// In f32, in the reference's order of operations: its roundings decide where a bucket ends.
int64_t bucket_of(int64_t distance, int64_t n, int64_t farthest) {
  const int64_t half = n / 2, alone = half / 2, away = std::abs(distance);
  const int64_t side = distance > 0 ? half : 0;
  if (away < alone) return side + away;
  const float scale = static_cast<float>(std::log(static_cast<double>(farthest) / static_cast<double>(alone)));
  const float share = std::log(static_cast<float>(away) / static_cast<float>(alone)) / scale;
  return side + std::min(half - 1, alone + static_cast<int64_t>(share * static_cast<float>(half - alone)));
}

}  // namespace

Tensor relative_biases(Ops& op, const Table& buckets, int64_t places, int64_t farthest) {
  const int64_t heads = buckets.cols;
  const float* values = static_cast<const float*>(buckets.data);
  Tensor out = op.tensor(heads, 2 * places - 1);
  for (int64_t column = 0; column < out.cols; ++column) {
    const float* row = values + bucket_of(column - (places - 1), buckets.rows, farthest) * heads;
    for (int64_t h = 0; h < heads; ++h) out.row(h)[column] = row[h];
  }
  return out;
}

std::function<Bias(const Sequence&, int, Arena&)> relative_bias(const Tensor& biases) {
  return [biases](const Sequence&, int head, Arena&) { return Bias{biases.row(head) + (biases.cols - 1) / 2, -1}; };
}

}  // namespace quern
