// The merges of BPE: for two neighbouring tokens, the token that they become and the rank of that merge.
#pragma once
#include <cstdint>
#include <vector>

#include "table.h"

namespace quern {

struct Merge {
  uint32_t left, right;  // ids
  uint32_t rank;         // the lowest goes first
  int32_t id;            // of the token they become
};

// Open addressing, 16 bytes a merge: a look-up reads one cache line.
class MergeTable {
 public:
  static constexpr uint32_t no_rank = UINT32_MAX;

  // Of equal pairs the last counts, as in the reference.
  void build(const std::vector<Merge>& merges);
  // In place, as saved; checks the ids of n_pieces pieces.
  void view(size_t n_pieces, const TableSource& tables);
  void save(const TableSink& sink) const { sink("merges", slots_.bytes()); }

  // rank is no_rank where the two do not merge.
  Merge find(int32_t left, int32_t right) const noexcept {
    const uint32_t l = static_cast<uint32_t>(left), r = static_cast<uint32_t>(right);
    for (size_t i = slot_of(l, r);; i = (i + 1) & (slots_.size() - 1)) {
      const Merge slot = slots_[i];
      if (slot.rank == no_rank || (slot.left == l && slot.right == r)) return slot;
    }
  }

 private:
  size_t slot_of(uint32_t left, uint32_t right) const noexcept {
    uint64_t key = (uint64_t{left} << 32 | right) * 0x9E3779B97F4A7C15;
    key = (key ^ key >> 32) * 0xD6E8FEB86659FD93;
    return key >> shift_;
  }
  PackedTable<Merge> slots_;  // a power of two, at most two thirds full; free where rank is no_rank
  int shift_ = 63;
};

}  // namespace quern
