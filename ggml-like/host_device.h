// The host as a device: its CPU, by one ISA's kernels.
#pragma once
#include "device.h"

namespace quern {

class HostDevice final : public Device {
 public:
  explicit HostDevice(const KernelTable& kernels) : kernels_(kernels) {}

  const KernelTable& kernels() const { return kernels_; }
  const char* name() const override { return kernels_.name; }
  using Device::adopt;
  bool adopt(std::span<Linear* const> linears) const override;
  std::unique_ptr<Ops> ops(const OpsOptions& options) const override;
  size_t kv_page_bytes(const KvShape& shape) const override;
  std::unique_ptr<KvCache> kv_cache(const KvShape& shape, int64_t pages) const override;

 private:
  const KernelTable& kernels_;
};

}  // namespace quern
