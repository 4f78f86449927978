// Views that the operators work on: float activations and weight matrices of any type. They own nothing.
#pragma once
#include <cstddef>
#include <cstdint>

namespace quern {

struct TypeInfo;

// T rows (tokens) of D floats in the memory of the device whose Ops made it. Its values are reached through Ops alone
// (read, write): the memory need not be the host's.
class Tensor {
 public:
  int64_t rows = 0, cols = 0;
  int64_t stride = 0;  // floats from one row to the next

  // Columns [first, first + n) of every row.
  Tensor columns(int64_t first, int64_t n) const { return {data_ + first, rows, n, stride}; }
  // Rows [first, first + n).
  Tensor slice(int64_t first, int64_t n) const { return {data_ + first * stride, n, cols, stride}; }
  bool is_null() const { return data_ == nullptr; }
  bool same_place(const Tensor& other) const { return data_ == other.data_; }

  Tensor() = default;

 private:
  friend struct TensorData;  // tensor_data.h: for those who implement a device
  Tensor(float* data, int64_t rows, int64_t cols, int64_t stride)
      : rows(rows), cols(cols), stride(stride), data_(data) {}
  float* data_ = nullptr;
};

// A weight matrix W of N outputs × K inputs, y = x·Wᵀ. `arrays` are the type's own (see TypeInfo::arrays): the first
// holds the weights, the others scales and sums. They lie wherever the file was mapped, 64-byte aligned for panel
// types.
struct Matrix {
  const TypeInfo* type = nullptr;
  int64_t N = 0, K = 0;
  const void* arrays[4] = {};
  const void* adopted = nullptr;  // the kernels' own copy (TypeKernels::adopt) or null; results are the same
};

constexpr int64_t round_up(int64_t n, int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

}  // namespace quern
