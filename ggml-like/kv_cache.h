// Keys and values that a decoder keeps, in pages of kPageTokens tokens: a page number names one page in every layer and
// head. A device makes it in its own memory (device.h). Who owns which page is not its business. Pages may be written
// and read from different threads if no page is written while it is read.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels.h"

namespace quern {

constexpr int64_t pages_of(int64_t tokens) {
  return (tokens + kPageTokens - 1) / kPageTokens;
}

struct KvShape {
  KvType type = KvType::f16;
  int64_t layers = 0, heads = 0, d = 0;  // heads of keys, not of queries
};

class KvCache {
 public:
  virtual ~KvCache() = default;
  const KvShape& shape() const { return shape_; }
  int64_t pages() const { return pages_; }
  virtual void clear(int64_t page) = 0;  // zeros, so that nothing of an earlier owner is left

 protected:
  KvCache(const KvShape& shape, int64_t pages) : shape_(shape), pages_(pages) {}
  const KvShape shape_;
  const int64_t pages_;
};

}  // namespace quern
