#include "models/weight_source.h"

#include <cstring>

#include "error.h"
#include "quants/half.h"

namespace quern {
namespace {

constexpr FloatDtype kFloats[] = {{"F32", "f32", 4}, {"F16", "f16", 2}, {"BF16", "bf16", 2}, {"F64", "f32", 8}};

}  // namespace

int64_t WeightTensor::elements() const {
  int64_t n = 1;
  for (const int64_t extent : shape) n *= extent;  // fits: its reader checked it
  return n;
}

const FloatDtype& float_dtype(const WeightTensor& tensor) {
  for (const FloatDtype& d : kFloats)
    if (tensor.dtype == d.dtype) return d;
  throw Error(Status::unsupported, *tensor.file + ": tensor " + tensor.name + " has dtype " + tensor.dtype +
                                       "; quern reads F32, F16, BF16 and F64");
}

void expect_shape(const WeightTensor& tensor, const std::vector<int64_t>& shape) {
  if (tensor.shape != shape)
    throw Error(Status::bad_file, *tensor.file + ": tensor " + tensor.name + ": expected shape " +
                                      shape_text(shape.data(), shape.size()) + ", found " +
                                      shape_text(tensor.shape.data(), tensor.shape.size()));
}

WeightTensor rows_of(const WeightTensor& tensor, int64_t first, int64_t n, size_t row_bytes) {
  WeightTensor part = tensor;
  part.shape[0] = n;
  part.data = tensor.data.subspan(static_cast<size_t>(first) * row_bytes, static_cast<size_t>(n) * row_bytes);
  return part;
}

void read_floats(const WeightTensor& tensor, int64_t first, int64_t n, float* out) {
  const FloatDtype& dtype = float_dtype(tensor);
  const std::byte* in = tensor.data.data() + static_cast<size_t>(first) * dtype.bytes;
  if (dtype.bytes == 4) {
    std::memcpy(out, in, static_cast<size_t>(n) * 4);
    return;
  }
  if (dtype.bytes == 8) {
    for (int64_t i = 0; i < n; ++i) {
      double value;
      std::memcpy(&value, in + i * 8, 8);
      out[i] = static_cast<float>(value);
    }
    return;
  }
  const bool bf16 = tensor.dtype == "BF16";
  for (int64_t i = 0; i < n; ++i) {
    uint16_t half;
    std::memcpy(&half, in + i * 2, 2);
    out[i] = bf16 ? bf16_to_f32(half) : f16_to_f32(half);
  }
}

}  // namespace quern
