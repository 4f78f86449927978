// Kernels over rows: value by value, norms, what is looked up and gathered.
#pragma once
#include "cuda/kernel_list.h"
#include "cuda/lane.h"

namespace quern {
namespace cuda {

// f(column) for the columns of this block of a row.
template <class F>
QUERN_GPU void for_columns(int64_t cols, int threads, const F& f) {
  const int64_t first = block_y() * kColumns, end = first + kColumns < cols ? first + kColumns : cols;
  for (int64_t i = first + thread(); i < end; i += threads) f(i);
}

QUERN_GPU float* row_of(const DeviceRows& x, int64_t row) {
  return x.data + row * x.stride;
}

QUERN_GPU void compute(const CopyRows& a) {
  const float* const from = row_of(a.from, block_x());
  float* const to = row_of(a.to, block_x());
  for_columns(a.to.cols, CopyRows::threads, [&](int64_t i) { to[i] = from[i]; });
}

QUERN_GPU void compute(const GatherRows& a) {
  const float* const from = row_of(a.from, a.rows[block_x()]);
  float* const to = row_of(a.to, block_x());
  for_columns(a.to.cols, GatherRows::threads, [&](int64_t i) { to[i] = from[i]; });
}

QUERN_GPU void compute(const ScaleRows& a) {
  float* const x = row_of(a.x, block_x());
  for_columns(a.x.cols, ScaleRows::threads, [&](int64_t i) { x[i] = x[i] * a.factor; });
}

QUERN_GPU void compute(const AddRows& a) {
  float* const x = row_of(a.x, block_x());
  const float* const y = row_of(a.y, block_x());
  for_columns(a.x.cols, AddRows::threads, [&](int64_t i) { x[i] = x[i] + y[i]; });
}

QUERN_GPU void compute(const CapRows& a) {
  float* const x = row_of(a.x, block_x());
  for_columns(a.x.cols, CapRows::threads, [&](int64_t i) { x[i] = Lane::capped(x[i], a.cap); });
}

QUERN_GPU void compute(const GateRows& a) {
  float* const gate = row_of(a.gate, block_x());
  const float* const up = row_of(a.up, block_x());
  for_columns(a.gate.cols, GateRows::threads, [&](int64_t i) { gate[i] = activated(a.activation, gate[i]) * up[i]; });
}

template <TableValues values>
QUERN_GPU float value_at(const void* table, int64_t i) {
  if constexpr (values == TableValues::f32)
    return static_cast<const float*>(table)[i];
  else if constexpr (values == TableValues::f16)
    return f16_value(static_cast<const uint16_t*>(table)[i]);
  else
    return bf16_value(static_cast<const uint16_t*>(table)[i]);
}

template <TableValues values>
QUERN_GPU void look_up(const LookUpRows& a) {
  const int64_t id = a.ids[block_x()];
  if (id < 0) return;
  float* const to = row_of(a.to, block_x());
  const int64_t first = id * a.to.cols;
  for_columns(a.to.cols, LookUpRows::threads, [&](int64_t i) {
    const float v = value_at<values>(a.table, first + i);
    to[i] = a.onto ? to[i] + v : v;
  });
}
QUERN_GPU void compute(const LookUpRows& a) {
  if (a.values == TableValues::f32)
    look_up<TableValues::f32>(a);
  else if (a.values == TableValues::f16)
    look_up<TableValues::f16>(a);
  else
    look_up<TableValues::bf16>(a);
}

// Through shared memory, so that both sides are read and written along rows.
QUERN_GPU void compute(const TransposeRows& a) {
  constexpr int64_t tile = TransposeRows::tile, stride = tile + 1;  // no two of a column in one bank
  float* const values = reinterpret_cast<float*>(shared_memory());
  const int64_t row = block_y() * tile, col = block_x() * tile;
  const int64_t i = thread() % tile;
  for (int64_t j = thread() / tile; j < tile; j += TransposeRows::threads / tile)
    if (row + j < a.from.rows && col + i < a.from.cols) values[j * stride + i] = row_of(a.from, row + j)[col + i];
  sync_block();
  for (int64_t j = thread() / tile; j < tile; j += TransposeRows::threads / tile)
    if (row + i < a.from.rows && col + j < a.from.cols) row_of(a.to, col + j)[row + i] = values[i * stride + j];
}

// ---- sums over a row: 16 threads each; all threads of a warp take part in the folding ----

// fold16 of f(sum, i) over the columns i of this thread's lane.
template <class F>
QUERN_GPU float sum_of_row(int64_t n, const F& f) {
  float sum = 0.0f;
  QUERN_UNROLL_SOME for (int64_t i = thread() & 15; i < n; i += 16) sum = f(sum, i);
  return fold16(sum);
}

QUERN_GPU void compute(const LayerNormRows& a) {
  const int64_t D = a.from.cols, row = block_x() * LayerNormRows::rows + thread() / 16;
  const bool there = row < a.from.rows;
  const float* const x = row_of(a.from, there ? row : 0);
  const float mean = sum_of_row(D, [&](float sum, int64_t i) { return sum + x[i]; }) / static_cast<float>(D);
  const float variance = sum_of_row(D, [&](float sum, int64_t i) {
    const float d = x[i] - mean;
    return fused(d, d, sum);
  });
  const float factor = 1.0f / square_root(variance / static_cast<float>(D) + a.eps);
  if (!there) return;
  float* const to = row_of(a.to, row);
  for (int64_t i = thread() & 15; i < D; i += 16) {
    const float normed = (x[i] - mean) * factor * a.weight[i];
    to[i] = a.bias ? normed + a.bias[i] : normed;
  }
}

QUERN_GPU void compute(const RmsNormRows& a) {
  const int64_t D = a.from.cols / a.parts, at = block_x() * RmsNormRows::rows + thread() / 16;
  const bool there = at < a.from.rows * a.parts;
  const int64_t row = there ? at / a.parts : 0, first = there ? at % a.parts * D : 0;
  const float* const x = row_of(a.from, row) + first;
  const float squares = sum_of_row(D, [&](float sum, int64_t i) { return fused(x[i], x[i], sum); });
  const float factor = 1.0f / square_root(squares / static_cast<float>(D) + a.eps);
  if (!there) return;
  float* const to = row_of(a.to, row) + first;
  for (int64_t i = thread() & 15; i < D; i += 16) to[i] = x[i] * factor * a.weight[i];
}

QUERN_GPU void compute(const NormalizeRows& a) {
  const int64_t row = block_x() * NormalizeRows::rows + thread() / 16;
  const bool there = row < a.x.rows;
  float* const x = row_of(a.x, there ? row : 0);
  const float root = square_root(sum_of_row(a.x.cols, [&](float sum, int64_t i) { return fused(x[i], x[i], sum); }));
  const float length = root < 1e-12f ? 1e-12f : root;
  if (!there) return;
  for (int64_t i = thread() & 15; i < a.x.cols; i += 16) x[i] = x[i] / length;
}

// ---- texts ----

// Rows in order, as the host adds them; columns side by side.
template <class Weight>
QUERN_GPU float pooled_sum(const float* x, int64_t stride, int64_t n, const Weight& weight) {
  float sum = 0.0f;
  QUERN_UNROLL_SOME for (int64_t t = 0; t < n; ++t) sum = fused(weight(t), x[t * stride], sum);
  return sum;
}

QUERN_GPU float pooled(const float* x, int64_t stride, int64_t n, Pooling mode) {
  const auto alike = [](int64_t) { return 1.0f; };
  switch (mode) {
    case Pooling::first:
      return x[0];
    case Pooling::last:
      return x[(n - 1) * stride];
    case Pooling::max: {
      float top = x[0];
      for (int64_t t = 1; t < n; ++t) top = top < x[t * stride] ? x[t * stride] : top;
      return top;
    }
    case Pooling::mean:
      return pooled_sum(x, stride, n, alike) / static_cast<float>(n);
    case Pooling::mean_sqrt_len:
      return pooled_sum(x, stride, n, alike) / square_root(static_cast<float>(n));
    default: {  // weighted_mean
      const float sum = pooled_sum(x, stride, n, [](int64_t t) { return static_cast<float>(t + 1); });
      return sum / (static_cast<float>(n) * static_cast<float>(n + 1) / 2);
    }
  }
}

QUERN_GPU void compute(const PoolTexts& a) {
  const TextRange text = a.texts[block_x()];
  const int64_t i = block_y() * PoolTexts::threads + thread();
  if (i >= a.from.cols) return;
  row_of(a.to, block_x())[i] =
      text.length > 0 ? pooled(row_of(a.from, text.first) + i, a.from.stride, text.length, a.mode) : 0.0f;
}

QUERN_GPU void compute(const RotateRows& a) {
  float* const x = row_of(a.x, block_x());
  const int64_t d = a.x.cols / a.heads;
  const float* const cos = row_of(a.angles, a.rows[block_x()]);
  const float* const sin = cos + a.half;
  for (int64_t i = thread(); i < a.heads * a.half; i += RotateRows::threads) {
    const int64_t head = i / a.half, at = i % a.half;
    float* const low = x + head * d + (a.pairs ? 2 * at : at);
    float* const high = low + (a.pairs ? 1 : a.half);
    const float p = *low, q = *high;
    *low = p * cos[at] - q * sin[at];
    *high = q * cos[at] + p * sin[at];
  }
}

}  // namespace cuda
}  // namespace quern
