// Relative position biases in buckets (Raffel et al., 2020, arXiv 1910.10683, section 2.1): what T5 and MPNet add to
// attention scores. Distances share a learned value each: alone up to a quarter of the buckets, then on a logarithmic
// scale up to `farthest`; half of the buckets are for keys after the query.
#pragma once
#include "models/model.h"

namespace quern {

// buckets: (n, heads). → AttentionOptions::bias for texts of at most `longest` tokens.
Tensor relative_biases(Ops& op, const Table& buckets, int64_t longest, int64_t farthest);

}  // namespace quern
