#include "host_device.h"

#include "host_kv_cache.h"
#include "host_ops.h"

namespace quern {

void HostDevice::adopt(Linear& linear) const {
  for (Linear::Part& part : linear.parts) {
    part.adopted = nullptr;
    part.w.adopted = nullptr;
    part.backend = find_backend(*part.w.type);
    if (part.backend) {
      if (part.backend->adopt) part.adopted = part.backend->adopt(part.w);
    } else if (const auto adopt = kernels_.types[type_index(*part.w.type)].adopt) {
      part.adopted = adopt(part.w);
      part.w.adopted = part.adopted.get();
    }
  }
}

std::unique_ptr<Ops> HostDevice::ops(const OpsOptions& options) const {
  return std::make_unique<HostOps>(kernels_, options);
}

size_t HostDevice::kv_page_bytes(const KvShape& shape) const {
  return HostKvCache::page_bytes(kernels_, shape);
}

std::unique_ptr<KvCache> HostDevice::kv_cache(const KvShape& shape, int64_t pages) const {
  return std::make_unique<HostKvCache>(kernels_, shape, pages);
}

}  // namespace quern
