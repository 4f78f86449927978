// Views that the operators work on: float activations and weight matrices of any type. They own nothing.
#pragma once
#include <cstddef>
#include <cstdint>

namespace quern {

struct TypeInfo;

// T rows (tokens) of D floats; row i starts at data + i * stride.
struct Tensor {
  float* data = nullptr;
  int64_t rows = 0, cols = 0, stride = 0;

  float* row(int64_t i) const { return data + i * stride; }
  // Columns [first, first + n) of every row.
  Tensor columns(int64_t first, int64_t n) const { return {data + first, rows, n, stride}; }
};

// A weight matrix W of N outputs × K inputs, y = x·Wᵀ. `arrays` are the type's own (see TypeInfo::arrays): the first
// holds the weights, the others scales and sums. They lie wherever the file was mapped, 64-byte aligned for panel
// types.
struct Matrix {
  const TypeInfo* type = nullptr;
  int64_t N = 0, K = 0;
  const void* arrays[4] = {};
};

constexpr int64_t round_up(int64_t n, int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

}  // namespace quern
