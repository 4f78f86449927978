// Products with weights: activations are coded once for each width of groups that the parts have.
#include <cassert>

#include "cuda/cuda_ops.h"
#include "quants/list.h"
#include "tensor_data.h"

namespace quern::cuda {
namespace {

constexpr int64_t kWideBlocks = 64;  // fewer leave most of a device idle

}  // namespace

void CudaOps::change_rows(std::span<const ChangedRows> rows) {
  if (rows.empty()) return;
  throw Error(Status::unsupported, "adapters run on the CPU alone yet: load the model with --device cpu");
}

CodedRows CudaOps::encoded(const Tensor& x, const float* smooth, int64_t group, int64_t groups) {
  const int64_t stride = round_up(x.cols, kCodeRow);
  const EncodeRows encode{.x = rows_of(x),
                          .smooth = smooth,
                          .group = group,
                          .groups = groups,
                          .stride = stride,
                          .codes = take<int8_t>(x.rows * stride),
                          .scales = take<float>(x.rows * groups),
                          .shifts = take<int32_t>(x.rows * groups)};
  launch(encode, blocks(x.rows, EncodeRows::rows), groups);
  return {encode.codes, encode.scales, encode.shifts};
}

void CudaOps::multiply_q8(const Tensor& x, const Linear::Part& part, const CodedRows& codes, int64_t groups,
                          const ProductEnd& end, Tensor y) {
  const PlacedQ8 placed = weights_.q8(part.w);
  assert(placed.groups == groups);
  const Q8ProductArguments a{.x = codes,
                             .w = placed.rows,
                             .M = x.rows,
                             .N = part.w.N,
                             .padded_N = placed.padded_N,
                             .stride = placed.stride,
                             .groups = groups,
                             .end = end,
                             .y = TensorData::of(y),
                             .y_stride = y.stride};
  const auto run = [&]<class P>(P kernel) {
    static_cast<Q8ProductArguments&>(kernel) = a;
    launch(kernel, blocks(a.N, P::cols), blocks(a.M, P::rows), P::shared);
  };
  const bool wide = blocks(a.N, Q8Wide::cols) * blocks(a.M, Q8Wide::rows) >= kWideBlocks;
  const bool grouped = part.w.type == &Q8_G256::info;
  if (wide)
    grouped ? run(Q8WideGroups{}) : run(Q8Wide{});
  else
    grouped ? run(Q8SmallGroups{}) : run(Q8Small{});
}

void CudaOps::multiply_floats(const Tensor& x, const Linear& w, const Linear::Part& part, const ProductEnd& end,
                              Tensor y) {
  const FloatProductArguments a{.x = rows_of(x),
                                .smooth = weights_.floats(w.smooth, w.K),
                                .w = weights_.matrix(part.w),
                                .N = part.w.N,
                                .end = end,
                                .y = TensorData::of(y),
                                .y_stride = y.stride};
  const auto run = [&]<class P>(P kernel) {
    static_cast<FloatProductArguments&>(kernel) = a;
    launch(kernel, blocks(a.N, P::cols), blocks(x.rows, P::rows), P::shared);
  };
  switch (DeviceWeights::values_of(*part.w.type)) {
    case TableValues::f32:
      return run(FloatProduct<TableValues::f32>{});
    case TableValues::f16:
      return run(FloatProduct<TableValues::f16>{});
    case TableValues::bf16:
      return run(FloatProduct<TableValues::bf16>{});
  }
}

Tensor CudaOps::linear(const Tensor& x, const Linear& w, Activation activation, const Tensor* residual) {
  assert(x.cols == w.K);
  const Tensor y = tensor(x.rows, w.N);
  if (x.rows == 0) return y;
  const Scope scope(*this);
  const float* const bias = weights_.floats(w.bias, w.N);
  CodedRows whole = {}, in_groups = {};
  for (const Linear::Part& part : w.parts) {
    DeviceWeights::require_kernels(*part.w.type);
    const ProductEnd end{.bias = bias ? bias + part.first : nullptr,
                         .residual = residual ? TensorData::of(*residual) + part.first : nullptr,
                         .residual_stride = residual ? residual->stride : 0,
                         .activation = activation};
    const Tensor to = y.columns(part.first, part.w.N);
    if (!DeviceWeights::is_q8(*part.w.type)) {
      multiply_floats(x, w, part, end, to);
      continue;
    }
    const bool grouped = part.w.type == &Q8_G256::info;
    const int64_t groups = grouped ? Q8_G256::groups(w.K) : 1;
    CodedRows& codes = grouped ? in_groups : whole;
    if (!codes.codes)
      codes = encoded(x, weights_.floats(w.smooth, w.K), grouped ? kQ8Group : round_up(w.K, kCodeRow), groups);
    multiply_q8(x, part, codes, groups, end, to);
  }
  return y;
}

}  // namespace quern::cuda
