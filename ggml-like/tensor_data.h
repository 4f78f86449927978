// A tensor's memory, for the devices that implement Ops and for their tests; nothing outside ggml-like includes this.
#pragma once
#include "tensor.h"

namespace quern {

struct TensorData {
  static float* of(const Tensor& x) { return x.data_; }
  static float* row(const Tensor& x, int64_t i) { return x.data_ + i * x.stride; }
  static Tensor view(float* data, int64_t rows, int64_t cols, int64_t stride) { return {data, rows, cols, stride}; }
};

}  // namespace quern
