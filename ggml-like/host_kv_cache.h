// The host's KV cache: one mapping, pages of a layer side by side, in each of them the heads.
#pragma once
#include <memory>

#include "kv_cache.h"

namespace quern {

class HostKvCache final : public KvCache {
 public:
  static size_t page_bytes(const KernelTable& kernels, const KvShape& shape);  // of one page in all layers and heads

  // Throws Error{out_of_memory} when the memory cannot be reserved.
  HostKvCache(const KernelTable& kernels, const KvShape& shape, int64_t pages);

  const PagedKernel& kernel() const { return kernel_; }
  int64_t page_stride() const { return static_cast<int64_t>(head_bytes_) * shape_.heads; }
  char* page(int64_t layer, int64_t page, int64_t head) const {
    return memory_.get() + static_cast<size_t>((layer * pages_ + page) * shape_.heads + head) * head_bytes_;
  }
  void clear(int64_t page) override;

 private:
  struct Unmap {
    size_t bytes;
    void operator()(char* p) const;
  };
  const PagedKernel& kernel_;
  const size_t head_bytes_;
  std::unique_ptr<char, Unmap> memory_;
};

}  // namespace quern
