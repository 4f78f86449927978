#include "ops.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

#include "backend.h"
#include "dispatch.h"

namespace quern {
namespace {

constexpr int64_t kRowBlock = 128;     // rows of one task: their activations stay in L2
constexpr int64_t kColumnBlock = 256;  // columns of one task: rows × columns of results stay in L2 for the epilogue
constexpr int64_t kQueryBlock = 48;    // queries whose scores are held at a time

int64_t blocks(int64_t n, int64_t size) {
  return (n + size - 1) / size;
}

}  // namespace

Tensor Ops::tensor(int64_t rows, int64_t cols) {
  return {arena_.take<float>(rows * cols), rows, cols, cols};
}

Tensor Ops::lookup(std::span<const Lookup> lookups) {
  const int64_t D = lookups[0].table.cols;
  Tensor out = tensor(static_cast<int64_t>(lookups[0].ids.size()), D);
  Arena::Scope scope(arena_);
  float* row = arena_.take<float>(D);
  for (size_t i = 0; i < lookups.size(); ++i) {
    const auto& [table, ids] = lookups[i];
    assert(table.cols == D && static_cast<int64_t>(ids.size()) == out.rows);
    const size_t bytes = table.type->row_bytes(D);
    for (int64_t t = 0; t < out.rows; ++t) {
      assert(ids[static_cast<size_t>(t)] >= 0 && ids[static_cast<size_t>(t)] < table.rows);
      const char* coded =
          static_cast<const char*>(table.data) + static_cast<size_t>(ids[static_cast<size_t>(t)]) * bytes;
      table.type->decode(coded, i == 0 ? out.row(t) : row, D);
      if (i > 0) kernels_.axpy(1.0f, row, out.row(t), D);
    }
  }
  return out;
}

Tensor Ops::linear(const Tensor& x, const Linear& w, Activation activation, const Tensor* residual) {
  assert(x.cols == w.K);
  if (observer_) observer_->observe(w, x);
  Tensor y = tensor(x.rows, w.N);
  Arena::Scope scope(arena_);
  const TypeKernels& type = kernels_.types[type_index(*w.parts[0].w.type)];
  const Backend* backend = find_backend(*w.parts[0].w.type);
  const size_t row_bytes = type.row_bytes(w.K);
  char* rows = static_cast<char*>(arena_.take_bytes(static_cast<size_t>(x.rows) * row_bytes));
  const int64_t row_blocks = blocks(x.rows, kRowBlock);
  for_each(blocks(x.rows, 16), [&](int64_t block, Arena&) {
    for (int64_t m = block * 16; m < std::min(x.rows, block * 16 + 16); ++m)
      type.prepare(x.row(m), w.smooth, w.K, rows + static_cast<size_t>(m) * row_bytes);
  });
  for (const Linear::Part& part : w.parts) {
    const int64_t column_blocks = blocks(part.w.N, kColumnBlock);
    for_each(row_blocks * column_blocks, [&](int64_t task, Arena&) {
      const int64_t m = task / column_blocks * kRowBlock, n = task % column_blocks * kColumnBlock;
      const int64_t M = std::min(kRowBlock, x.rows - m), N = std::min(kColumnBlock, part.w.N - n);
      float* out = y.row(m) + part.first + n;
      const char* prepared = rows + static_cast<size_t>(m) * row_bytes;
      if (backend)
        backend->multiply(prepared, row_bytes, M, part.w, n, N, out, y.stride);
      else
        type.multiply(prepared, M, part.w, n, N, out, y.stride);
      kernels_.epilogue(out, M, N, y.stride,
                        {.bias = w.bias ? w.bias + part.first + n : nullptr,
                         .activation = activation,
                         .residual = residual ? residual->row(m) + part.first + n : nullptr,
                         .residual_stride = residual ? residual->stride : 0});
    });
  }
  return y;
}

Tensor Ops::layer_norm(const Tensor& x, const Norm& norm, float eps) {
  Tensor y = tensor(x.rows, x.cols);
  for_each(blocks(x.rows, 16), [&](int64_t block, Arena&) {
    for (int64_t t = block * 16; t < std::min(x.rows, block * 16 + 16); ++t)
      kernels_.layer_norm(x.row(t), norm.weight, norm.bias, eps, x.cols, y.row(t));
  });
  return y;
}

Tensor Ops::attention(const Tensor& q, const Tensor& k, const Tensor& v, std::span<const Sequence> texts, int heads,
                      float scale) {
  Tensor out = tensor(q.rows, q.cols);
  const int64_t d = q.cols / heads;
  assert(d * heads == q.cols && k.cols == q.cols && v.cols == q.cols);
  for (const Sequence& text : texts) {
    const int64_t L = text.length, padded = round_up(L, 16), first = text.first;
    for_each(heads, [&](int64_t head, Arena& scratch) {
      Arena::Scope scope(scratch);
      const Tensor Q = q.columns(head * d, d), K = k.columns(head * d, d), V = v.columns(head * d, d);
      float* Kt = scratch.take<float>(d * padded);  // (d, L), zero beyond L
      for (int64_t i = 0; i < d; ++i) {
        for (int64_t j = 0; j < L; ++j) Kt[i * padded + j] = K.row(first + j)[i];
        std::memset(Kt + i * padded + L, 0, static_cast<size_t>(padded - L) * sizeof(float));
      }
      float* scores = scratch.take<float>(kQueryBlock * padded);
      for (int64_t m = 0; m < L; m += kQueryBlock) {
        const int64_t M = std::min(kQueryBlock, L - m);
        kernels_.gemm(M, padded, d, Q.row(first + m), Q.stride, Kt, padded, scores, padded);
        float sums[kQueryBlock];
        for (int64_t i = 0; i < M; ++i) sums[i] = kernels_.softmax(scores + i * padded, L, scale);
        float* o = out.row(first + m) + head * d;
        kernels_.gemm(M, d, L, scores, padded, V.row(first), V.stride, o, out.stride);
        for (int64_t i = 0; i < M; ++i)
          for (int64_t j = 0; j < d; ++j) o[i * out.stride + j] /= sums[i];
      }
    });
  }
  return out;
}

}  // namespace quern
