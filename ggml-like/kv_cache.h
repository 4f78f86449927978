// Keys and values that a decoder keeps, in pages of kPageTokens tokens: a page number names one page in every layer and
// head. The memory is reserved whole and costs nothing before it is written. Who owns which page is not its business.
// Pages may be written and read from different threads if no page is written while it is read.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

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
  static size_t page_bytes(const KernelTable& kernels, const KvShape& shape);  // of one page in all layers and heads

  // Throws Error{out_of_memory} when the memory cannot be reserved.
  KvCache(const KernelTable& kernels, const KvShape& shape, int64_t pages);

  const KvShape& shape() const { return shape_; }
  int64_t pages() const { return pages_; }
  const PagedKernel& kernel() const { return kernel_; }
  int64_t page_stride() const { return static_cast<int64_t>(head_bytes_) * shape_.heads; }
  char* page(int64_t layer, int64_t page, int64_t head) const {
    return memory_.get() + static_cast<size_t>((layer * pages_ + page) * shape_.heads + head) * head_bytes_;
  }
  void clear(int64_t page);  // zeros, so that nothing of an earlier owner is left

 private:
  struct Unmap {
    size_t bytes;
    void operator()(char* p) const;
  };
  KvShape shape_;
  int64_t pages_;
  const PagedKernel& kernel_;
  size_t head_bytes_;
  std::unique_ptr<char, Unmap> memory_;
};

}  // namespace quern
