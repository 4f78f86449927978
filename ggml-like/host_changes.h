// What rows of a product get besides it: ChangedRows on the host.
#pragma once
#include <algorithm>
#include <span>

#include "arena.h"
#include "kernels.h"
#include "linear_changes.h"
#include "ops.h"
#include "tensor_data.h"

namespace quern {

// One linear's changed rows in a call. A row's result depends on its own input and change alone: sums over k are
// chains, however rows and columns are cut.
class RowChanges {
 public:
  RowChanges(const KernelTable& kernels, Arena& arena, std::span<const ChangedRows> rows, const Linear& w)
      : kernels_(kernels), all_(arena.take<Change>(static_cast<int64_t>(rows.size()))) {
    for (const ChangedRows& r : rows)
      if (const LowRank* low = r.by->of(w))
        all_[n_++] = {r.first, r.rows, low, arena.take<float>(r.rows * low->columns)};
  }
  bool any() const { return n_ > 0; }

  // x·A of the rows among [m, m + M), whose inputs are x, `stride` apart from row 0 on.
  void prepare(const float* x, int64_t stride, int64_t K, int64_t m, int64_t M) const {
    for (size_t i = 0; i < n_; ++i) {
      const Change& c = all_[i];
      const auto [first, rows] = within(c, m, M);
      if (rows > 0)
        kernels_.gemm(rows, c.low->columns, K, x + first * stride, stride, c.low->a, c.low->columns,
                      c.product + (first - c.first) * c.low->columns, c.low->columns);
    }
  }
  // Onto outputs [n, n + N) of the rows among [m, m + M), which were prepared; y: those of row m.
  void add(int64_t m, int64_t M, int64_t n, int64_t N, float* y, int64_t stride, Arena& scratch) const {
    for (size_t i = 0; i < n_; ++i) {
      const Change& c = all_[i];
      const auto [first, rows] = within(c, m, M);
      if (rows <= 0) continue;
      for (const LowRank::Part& part : c.low->parts) {
        const int64_t begin = std::max(n, part.first), end = std::min(n + N, part.first + part.N);
        const float* const product = c.product + (first - c.first) * c.low->columns + part.column;
        if (begin < end)
          add_part(part, product, c.low->columns, rows, begin, end, y + (first - m) * stride + begin - n, stride,
                   scratch);
      }
      for (int64_t r = 0; c.low->bias && r < rows; ++r)
        kernels_.axpy(1.0f, c.low->bias + n, y + (first - m + r) * stride, N);
    }
  }

 private:
  static constexpr int64_t kRows = 24, kColumns = 192;  // of what is added at once, in L1: whole tiles of every ISA

  struct Change {
    int64_t first, rows;
    const LowRank* low;
    float* product;  // (rows, columns)
  };
  static std::pair<int64_t, int64_t> within(const Change& c, int64_t m, int64_t M) {
    const int64_t first = std::max(c.first, m);
    return {first, std::min(c.first + c.rows, m + M) - first};
  }
  void add_part(const LowRank::Part& part, const float* product, int64_t columns, int64_t rows, int64_t begin,
                int64_t end, float* y, int64_t stride, Arena& scratch) const {
    Arena::Scope scope(scratch);
    float* const sums = scratch.take<float>(kRows * kColumns);
    for (int64_t n = begin; n < end; n += kColumns)
      for (int64_t r = 0; r < rows; r += kRows) {
        const int64_t N = std::min(kColumns, end - n), M = std::min(kRows, rows - r);
        kernels_.gemm(M, N, part.rank, product + r * columns, columns, part.b + n - part.first, part.N, sums, N);
        for (int64_t i = 0; i < M; ++i) kernels_.axpy(1.0f, sums + i * N, y + (r + i) * stride + n - begin, N);
      }
  }

  const KernelTable& kernels_;
  Change* const all_;
  size_t n_ = 0;
};

}  // namespace quern
