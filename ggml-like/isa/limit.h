// The rate of an ISA's fastest 8-bit dot product, on registers alone. Included by ISA-flagged files only.
#pragma once
#include <cstdint>

#include "quants/tiles.h"

namespace quern {

template <class S>
struct Limit {
  static constexpr int chains = 12;  // enough to hide the latency of every CPU so far

  static double run(int64_t steps) noexcept {
    typename S::L8 acc[chains];
    QUERN_UNROLL for (int i = 0; i < chains; ++i) acc[i] = S::limit_zero();
    const typename S::L8 a = S::limit_zero(), b = S::limit_zero();
    for (int64_t s = 0; s < steps; ++s) {
      QUERN_UNROLL for (int i = 0; i < chains; ++i) acc[i] = S::limit_dot(acc[i], a, b);
    }
    return static_cast<double>(steps) * chains * S::limit_macs;
  }
};

}  // namespace quern
