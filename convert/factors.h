// Factors of Gram matrices, blocked: nearly all of their arithmetic is the kernels' matrix product, on all threads. The
// results depend neither on the threads nor on the ISA.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels.h"
#include "parallel.h"

namespace quern {

// A (K, K) matrix whose rows begin a few floats more than K apart: rows of a power of two would share cache sets.
struct SquareMatrix {
  explicit SquareMatrix(int64_t K) : K(K), stride(K + 16), values(static_cast<size_t>(K * stride), 0.0f) {}
  float* row(int64_t i) { return values.data() + i * stride; }
  const float* row(int64_t i) const { return values.data() + i * stride; }

  int64_t K, stride;
  std::vector<float> values;
};

// Lower Cholesky factor in place, of the lower triangle; the upper one is left as it was. False if not positive
// definite.
bool cholesky(SquareMatrix& a, const KernelTable& kernels, Pool& pool);

// The inverse of a lower triangle, lower too; the upper triangle is zero.
SquareMatrix inverse_of_lower(const SquareMatrix& l, const KernelTable& kernels, Pool& pool);

}  // namespace quern
