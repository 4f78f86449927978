#include "convert/factors.h"

#include <algorithm>
#include <cmath>

namespace quern {
namespace {

constexpr int64_t kBlock = 64;

// Rows [first, end) of the factor's columns [first, end), from what is left of the matrix there.
bool factor_block(SquareMatrix& a, int64_t first, int64_t end, const KernelTable& kernels) {
  for (int64_t i = first; i < end; ++i) {
    float* const row = a.row(i);
    for (int64_t j = first; j <= i; ++j) {
      const float* const other = a.row(j);
      const float v = row[j] - kernels.dot(row + first, other + first, j - first);
      if (j < i) {
        row[j] = v / other[j];
      } else {
        if (!(v > 0) || !std::isfinite(v)) return false;
        row[i] = std::sqrt(v);
      }
    }
  }
  return true;
}

}  // namespace

bool cholesky(SquareMatrix& a, const KernelTable& kernels, Pool& pool) {
  SquareMatrix* const m = &a;
  std::vector<float> across(static_cast<size_t>(kBlock * a.stride));  // the block's columns below it, transposed
  for (int64_t first = 0; first < a.K; first += kBlock) {
    const int64_t end = std::min(a.K, first + kBlock), width = end - first, rest = a.K - end;
    if (!factor_block(a, first, end, kernels)) return false;
    const int64_t tasks = (rest + kBlock - 1) / kBlock;
    pool.run(tasks, [&](int64_t task, Arena&) {
      for (int64_t i = end + task * kBlock; i < std::min(m->K, end + (task + 1) * kBlock); ++i) {
        float* const row = m->row(i);
        for (int64_t j = first; j < end; ++j) {
          const float* const other = m->row(j);
          row[j] = (row[j] - kernels.dot(row + first, other + first, j - first)) / other[j];
          across[static_cast<size_t>((j - first) * m->stride + i - end)] = row[j];
        }
      }
    });
    pool.run(tasks, [&](int64_t task, Arena& scratch) {  // what the block's columns explain of the others
      Arena::Scope scope(scratch);
      const int64_t i = end + task * kBlock, rows = std::min(kBlock, m->K - i), columns = i + rows - end;
      float* const product = scratch.take<float>(rows * columns);
      kernels.gemm(rows, columns, width, m->row(i) + first, m->stride, across.data(), m->stride, product, columns);
      for (int64_t r = 0; r < rows; ++r) kernels.axpy(-1.0f, product + r * columns, m->row(i + r) + end, columns);
    });
  }
  return true;
}

SquareMatrix inverse_of_lower(const SquareMatrix& l, const KernelTable& kernels, Pool& pool) {
  SquareMatrix z(l.K);
  SquareMatrix* const to = &z;
  for (int64_t first = 0; first < l.K; first += kBlock) {
    const int64_t rows = std::min(kBlock, l.K - first);
    // The block on the diagonal, column by column.
    for (int64_t j = first; j < first + rows; ++j) {
      z.row(j)[j] = 1.0f / l.row(j)[j];
      for (int64_t i = j + 1; i < first + rows; ++i) {
        float sum = 0;
        for (int64_t k = j; k < i; ++k) sum += l.row(i)[k] * z.row(k)[j];
        z.row(i)[j] = -sum / l.row(i)[i];
      }
    }
    // The blocks before it: minus the inverse above times (L · Z) of the rows before.
    pool.run((first + kBlock - 1) / kBlock, [&](int64_t task, Arena& scratch) {
      Arena::Scope scope(scratch);
      const int64_t j = task * kBlock, columns = std::min(kBlock, first - j);
      float* const product = scratch.take<float>(rows * columns);
      kernels.gemm(rows, columns, first - j, l.row(first) + j, l.stride, to->row(j) + j, to->stride, product, columns);
      float* const out = scratch.take<float>(rows * columns);
      kernels.gemm(rows, columns, rows, to->row(first) + first, to->stride, product, columns, out, columns);
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < columns; ++c) to->row(first + r)[j + c] = -out[r * columns + c];
    });
  }
  return z;
}

}  // namespace quern
