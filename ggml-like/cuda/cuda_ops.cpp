// Rows: memory, norms, and what goes value by value. Products: cuda_linear.cpp; over texts: cuda_texts.cpp.
#include "cuda/cuda_ops.h"

#include <algorithm>
#include <cassert>

#include "dispatch.h"
#include "tensor_data.h"

namespace quern::cuda {
namespace {

// Of scratch memory that is taken at a time: few pieces on a large device, little of a small one.
size_t chunk_of(Runtime& runtime) {
  return static_cast<size_t>(std::clamp<int64_t>(runtime.facts().memory / 512, 1 << 20, 64 << 20));
}

}  // namespace

CudaOps::CudaOps(Runtime& runtime, DeviceWeights& weights, Precision precision)
    : runtime_(runtime),
      weights_(weights),
      precision_(precision),
      stream_(runtime.stream()),
      arena_(runtime, chunk_of(runtime)),
      host_(default_kernels(), {}) {
  if (!stream_) refuse_memory(runtime, 0, "a stream");
}

DeviceRows CudaOps::rows_of(const Tensor& x) {
  return {TensorData::of(x), x.rows, x.cols, x.stride};
}

Tensor CudaOps::tensor(int64_t rows, int64_t cols) {
  return TensorData::view(take<float>(rows * cols), rows, cols, cols);
}

std::span<const float> CudaOps::read(const Tensor& x, std::vector<float>& room) {
  const size_t n = static_cast<size_t>(x.rows * x.cols);
  room.resize(n);
  if (n == 0) return room;
  const Scope scope(*this);
  Tensor whole = x;
  if (x.stride != x.cols && x.rows > 1) {
    whole = tensor(x.rows, x.cols);
    copy(x, whole);
  }
  check(*stream_, stream_->download(room.data(), TensorData::of(whole), n * sizeof(float)));
  return room;
}

void CudaOps::write(std::span<const float> values, Tensor x) {
  assert(static_cast<int64_t>(values.size()) == x.rows * x.cols);
  if (values.empty()) return;
  if (x.stride == x.cols || x.rows == 1)
    return check(*stream_, stream_->upload(TensorData::of(x), values.data(), values.size_bytes()));
  const Scope scope(*this);
  copy(TensorData::view(uploaded(values), x.rows, x.cols, x.cols), x);
}

void CudaOps::copy(const Tensor& from, Tensor to) {
  assert(from.rows == to.rows && from.cols == to.cols);
  if (!from.same_place(to)) launch_rows(CopyRows{rows_of(from), rows_of(to)}, rows_of(to));
}

Tensor CudaOps::lookup(std::span<const Lookup> lookups) {
  const Tensor y = tensor(static_cast<int64_t>(lookups[0].ids.size()), lookups[0].table.cols);
  const Scope scope(*this);
  for (size_t i = 0; i < lookups.size(); ++i) {
    const auto& [table, ids] = lookups[i];
    assert(table.cols == y.cols && static_cast<int64_t>(ids.size()) == y.rows);
    const PlacedTable placed = weights_.table(table);
    launch_rows(LookUpRows{placed.data, placed.values, uploaded(ids), rows_of(y), i > 0}, rows_of(y));
  }
  return y;
}

Tensor CudaOps::gather(const Tensor& x, std::span<const int64_t> rows) {
  const Tensor y = tensor(static_cast<int64_t>(rows.size()), x.cols);
  const Scope scope(*this);
  launch_rows(GatherRows{rows_of(x), rows_of(y), uploaded(rows)}, rows_of(y));
  return y;
}

Tensor CudaOps::transpose(const Tensor& x) {
  const Tensor y = tensor(x.cols, x.rows);
  launch(TransposeRows{rows_of(x), rows_of(y)}, blocks(x.cols, TransposeRows::tile),
         blocks(x.rows, TransposeRows::tile), TransposeRows::shared);
  return y;
}

Tensor CudaOps::layer_norm(const Tensor& x, const Norm& norm, float eps) {
  const Tensor y = tensor(x.rows, x.cols);
  launch(LayerNormRows{rows_of(x), rows_of(y), weights_.floats(norm.weight, x.cols), weights_.floats(norm.bias, x.cols),
                       eps},
         blocks(x.rows, LayerNormRows::rows));
  return y;
}

Tensor CudaOps::rms_norm(const Tensor& x, const Norm& norm, float eps) {
  const Tensor y = tensor(x.rows, x.cols);
  launch(RmsNormRows{rows_of(x), rows_of(y), 1, weights_.floats(norm.weight, x.cols), eps},
         blocks(x.rows, RmsNormRows::rows));
  return y;
}

void CudaOps::norm_heads(Tensor x, int heads, const Norm& norm, float eps) {
  launch(RmsNormRows{rows_of(x), rows_of(x), heads, weights_.floats(norm.weight, x.cols / heads), eps},
         blocks(x.rows * heads, RmsNormRows::rows));
}

void CudaOps::scale(Tensor x, float factor) {
  launch_rows(ScaleRows{rows_of(x), factor}, rows_of(x));
}

void CudaOps::add(Tensor x, const Tensor& y) {
  assert(x.rows == y.rows && x.cols == y.cols);
  launch_rows(AddRows{rows_of(x), rows_of(y)}, rows_of(x));
}

void CudaOps::softcap(Tensor x, float cap) {
  launch_rows(CapRows{rows_of(x), cap}, rows_of(x));
}

Tensor CudaOps::gate(const Tensor& gate, const Tensor& up, Activation activation) {
  assert(gate.rows == up.rows && gate.cols == up.cols);
  launch_rows(GateRows{rows_of(gate), rows_of(up), activation}, rows_of(gate));
  return gate;
}

void CudaOps::normalize(Tensor x) {
  launch(NormalizeRows{rows_of(x)}, blocks(x.rows, NormalizeRows::rows));
}

}  // namespace quern::cuda
