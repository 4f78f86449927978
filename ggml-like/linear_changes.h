// What some rows of a pass add to the results of linears: y += (x·A)·B + bias, of low rank (Hu et al., 2021, arXiv
// 2106.09685). The weights stay what they are, whatever their type.
#pragma once
#include <cstdint>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace quern {

struct Linear;

// Of one linear. A's columns may belong to several parts of its outputs, each of which has a B.
struct LowRank {
  // Outputs [first, first + N) += columns [column, column + rank) of x·A, times B.
  struct Part {
    int64_t first, N, column, rank;
    const float* b;  // (rank, N)
  };
  int64_t columns;  // of A; a multiple of 16, so that all are whole vectors
  const float* a;   // (K, columns)
  std::vector<Part> parts;
  const float* bias = nullptr;  // N, or null
};

// Of a model's linears. Immutable once it is in use; what it points to outlives it.
class LinearChanges {
 public:
  void add(const Linear& linear, LowRank change) { all_.insert_or_assign(&linear, std::move(change)); }
  const LowRank* of(const Linear& linear) const {
    const auto found = all_.find(&linear);
    return found == all_.end() ? nullptr : &found->second;
  }
  size_t size() const { return all_.size(); }

 private:
  std::unordered_map<const Linear*, LowRank> all_;
};

// Rows [first, first + rows) of every linear's input in a pass.
struct ChangedRows {
  int64_t first, rows;
  const LinearChanges* by;
};

}  // namespace quern
