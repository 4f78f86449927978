// Relative position biases in buckets (Raffel et al., 2020, arXiv 1910.10683, section 2.1): what T5 and MPNet add to
// attention scores. Distances share a learned value each: alone up to a quarter of the buckets, then on a logarithmic
// scale up to `farthest`; half of the buckets are for keys after the query.
#pragma once
#include "models/model.h"

namespace quern {

// buckets: (n, heads) in f32. → (heads, 2 · places - 1): of key j and query i in column places - 1 + j - i.
Tensor relative_biases(Ops& op, const Table& buckets, int64_t places, int64_t farthest);

// AttentionOptions::bias over such a tensor.
std::function<Bias(const Sequence&, int, Arena&)> relative_bias(const Tensor& biases);

}  // namespace quern
