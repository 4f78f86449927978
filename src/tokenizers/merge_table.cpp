// The hash table of merges. See merge_table.h.
#include "merge_table.h"

#include <bit>

namespace quern {

void MergeTable::build(const std::vector<Merge>& merges) {
  shift_ = 63;
  while ((uint64_t{1} << (64 - shift_)) * 2 < 3 * merges.size() + 2) --shift_;
  std::vector<Merge> slots(size_t{1} << (64 - shift_), Merge{0, 0, no_rank, -1});
  for (const Merge& merge : merges) {
    size_t i = slot_of(merge.left, merge.right);
    while (slots[i].rank != no_rank && (slots[i].left != merge.left || slots[i].right != merge.right)) {
      i = (i + 1) & (slots.size() - 1);
    }
    slots[i] = merge;
  }
  slots_ = PackedTable<Merge>(std::move(slots));
}

void MergeTable::view(size_t n_pieces, const TableSource& tables) {
  slots_ = tables.get<Merge>("merges");
  const size_t n = slots_.size();
  if (n < 2 || !std::has_single_bit(n)) {
    tables.fail("merges", "should have a power of two of slots, but has " + std::to_string(n));
  }
  shift_ = 64 - std::countr_zero(n);
  bool has_free = false;
  for (size_t i = 0; i < n; ++i) {
    const Merge slot = slots_[i];
    has_free |= slot.rank == no_rank;
    if (slot.rank != no_rank && (slot.id < 0 || static_cast<size_t>(slot.id) >= n_pieces)) {
      tables.fail("merges", "names the piece " + std::to_string(slot.id) + " of " + std::to_string(n_pieces));
    }
  }
  if (!has_free) tables.fail("merges", "has no free slot");  // a search for what is absent would not end
}

}  // namespace quern
