#include "host_kv_cache.h"

#include <cstring>
#include <string>

#include "error.h"
#include "os/memory.h"

namespace quern {
namespace {

const PagedKernel& kernel_of(const KernelTable& kernels, KvType type) {
  return kernels.kv[static_cast<int>(type)];
}

}  // namespace

void HostKvCache::Unmap::operator()(char* p) const {
  os::free_pages(p, bytes);
}

size_t HostKvCache::page_bytes(const KernelTable& kernels, const KvShape& shape) {
  return kernel_of(kernels, shape.type).page_bytes(shape.d) * static_cast<size_t>(shape.layers * shape.heads);
}

HostKvCache::HostKvCache(const KernelTable& kernels, const KvShape& shape, int64_t pages)
    : KvCache(shape, pages), kernel_(kernel_of(kernels, shape.type)), head_bytes_(kernel_.page_bytes(shape.d)) {
  const size_t bytes = page_bytes(kernels, shape) * static_cast<size_t>(pages);
  void* const p = os::new_pages(bytes);
  if (p == nullptr)
    throw Error(Status::out_of_memory,
                "the KV cache needs " + std::to_string(bytes >> 20) + " MiB of memory, which the system does not give");
  os::prefer_huge_pages(p, bytes);
  memory_ = {static_cast<char*>(p), Unmap{bytes}};
}

void HostKvCache::clear(int64_t page) {
  for (int64_t layer = 0; layer < shape_.layers; ++layer)
    std::memset(this->page(layer, page, 0), 0, static_cast<size_t>(page_stride()));
}

}  // namespace quern
