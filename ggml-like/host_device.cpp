#include "host_device.h"

#include <vector>

#include "cpu.h"
#include "dispatch.h"
#include "host_kv_cache.h"
#include "host_ops.h"

namespace quern {

bool HostDevice::adopt(std::span<Linear* const> linears) const {
  std::vector<Linear::Part*> own;  // that the kernels want otherwise than they lie
  for (Linear* linear : linears)
    for (Linear::Part& part : linear->parts) {
      part.adopted = nullptr;
      part.w.adopted = nullptr;
      part.backend = find_backend(*part.w.type);
      if (part.backend && part.backend->adopt) part.adopted = part.backend->adopt(part.w);
      if (!part.backend && kernels_.types[type_index(*part.w.type)].adopt) own.push_back(&part);
    }
  if (own.empty()) return false;
  Pool pool(usable_cpus());
  pool.run(static_cast<int64_t>(own.size()), [&](int64_t task, Arena&) {
    Linear::Part& part = *own[static_cast<size_t>(task)];
    part.adopted = kernels_.types[type_index(*part.w.type)].adopt(part.w);
    part.w.adopted = part.adopted.get();
  });
  return true;
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
