// Who owns which page of a KvCache, and which pages hold the beginnings of texts that may come again. Knows nothing of
// what is in a page but its tokens. Not thread-safe.
#pragma once
#include <array>
#include <cstdint>
#include <list>
#include <span>
#include <unordered_map>
#include <vector>

#include "kernels.h"

namespace quern {

class PagePool {
 public:
  explicit PagePool(int64_t pages);

  // A page with one owner, whose content is unknown; -1 when all have owners. May forget a beginning to find one.
  int32_t take();
  // By an owner; a page without owners is free, or remembered as long as nobody needs it.
  void release(int32_t page) noexcept;
  int64_t available() const { return static_cast<int64_t>(free_.size() + idle_.size()); }

  // Where a text stands that has gone through page by page. All texts of a key begin at its root: those of different
  // keys share nothing.
  using Place = uint64_t;
  static constexpr Place root(uint64_t key) { return key | Place{1} << 63; }  // a bit that no place behind a page has
  // A page after `after` with these kPageTokens tokens, if there is one: it has one owner more then. -1: none.
  int32_t find(Place after, std::span<const int32_t> tokens, Place& place);
  // Remembers a whole page that an owner has filled. The place after it.
  Place remember(int32_t page, Place after, std::span<const int32_t> tokens);

 private:
  struct Page {
    int32_t owners = 0;
    Place after = 0, place = 0;  // place 0: not remembered
    std::array<int32_t, kPageTokens> tokens;
    std::list<int32_t>::iterator node;  // in idle_ while it has no owners and is remembered, else in others_
  };
  static uint64_t key(Place after, std::span<const int32_t> tokens);
  int32_t known(Place after, std::span<const int32_t> tokens) const;
  void forget(int32_t page);

  std::vector<Page> pages_;
  std::vector<int32_t> free_;
  std::list<int32_t> idle_;    // remembered pages without owners, the longest unused first
  std::list<int32_t> others_;  // the rest: giving a page back needs no memory
  std::unordered_multimap<uint64_t, int32_t> index_;
  Place next_place_ = 1;
};

}  // namespace quern
