#include "generation/page_pool.h"

#include <algorithm>
#include <cassert>

namespace quern {

PagePool::PagePool(int64_t pages) : pages_(static_cast<size_t>(pages)) {
  for (int64_t page = pages; page-- > 0;) free_.push_back(static_cast<int32_t>(page));
  for (size_t page = 0; page < pages_.size(); ++page)
    pages_[page].node = others_.insert(others_.end(), static_cast<int32_t>(page));
}

int32_t PagePool::take() {
  if (free_.empty()) {
    if (idle_.empty()) return -1;
    const int32_t page = idle_.front();
    others_.splice(others_.end(), idle_, idle_.begin());
    forget(page);
    free_.push_back(page);
  }
  const int32_t page = free_.back();
  free_.pop_back();
  pages_[static_cast<size_t>(page)].owners = 1;
  return page;
}

void PagePool::release(int32_t page) noexcept {
  Page& p = pages_[static_cast<size_t>(page)];
  assert(p.owners > 0);
  if (--p.owners > 0) return;
  if (p.place == 0)
    free_.push_back(page);
  else
    idle_.splice(idle_.end(), others_, p.node);
}

uint64_t PagePool::key(Place after, std::span<const int32_t> tokens) {
  uint64_t h = after * 0x9E3779B97F4A7C15u;
  for (const int32_t t : tokens) {
    h ^= static_cast<uint32_t>(t);
    h *= 0xBF58476D1CE4E5B9u;
    h ^= h >> 31;
  }
  return h;
}

int32_t PagePool::known(Place after, std::span<const int32_t> tokens) const {
  const auto [first, last] = index_.equal_range(key(after, tokens));
  for (auto it = first; it != last; ++it) {
    const Page& p = pages_[static_cast<size_t>(it->second)];
    if (p.after == after && std::equal(tokens.begin(), tokens.end(), p.tokens.begin())) return it->second;
  }
  return -1;
}

int32_t PagePool::find(Place after, std::span<const int32_t> tokens, Place& place) {
  const int32_t page = known(after, tokens);
  if (page < 0) return -1;
  Page& p = pages_[static_cast<size_t>(page)];
  if (p.owners++ == 0) others_.splice(others_.end(), idle_, p.node);
  place = p.place;
  return page;
}

PagePool::Place PagePool::remember(int32_t page, Place after, std::span<const int32_t> tokens) {
  assert(tokens.size() == static_cast<size_t>(kPageTokens));
  if (const int32_t same = known(after, tokens); same >= 0) return pages_[static_cast<size_t>(same)].place;
  Page& p = pages_[static_cast<size_t>(page)];
  index_.emplace(key(after, tokens), page);  // first: it may find no memory
  p.after = after;
  p.place = next_place_++;
  std::copy(tokens.begin(), tokens.end(), p.tokens.begin());
  return p.place;
}

void PagePool::forget(int32_t page) {
  Page& p = pages_[static_cast<size_t>(page)];
  const auto [first, last] = index_.equal_range(key(p.after, p.tokens));
  index_.erase(std::find_if(first, last, [&](const auto& entry) { return entry.second == page; }));
  p.place = 0;
}

}  // namespace quern
