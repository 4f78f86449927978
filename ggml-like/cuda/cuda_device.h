// A CUDA device behind Device: its Ops, and its copies of a model's weights. Over a Runtime, so that the tests run all
// of it on an emulated one.
#pragma once
#include <memory>

#include "cuda/runtime.h"
#include "cuda/weights.h"
#include "device.h"

namespace quern::cuda {

class CudaDevice final : public Device {
 public:
  explicit CudaDevice(std::shared_ptr<Runtime> runtime);

  const char* name() const override { return name_.c_str(); }
  // Throws Error{unsupported} for a weight type that no kernel is for, Error{out_of_memory}.
  bool adopt(std::span<Linear* const> linears) const override;
  void adopt(const Table& table) const override;
  std::unique_ptr<Ops> ops(const OpsOptions& options) const override;
  size_t bytes_of(const Linear& linear) const override;
  size_t bytes_of(const Table& table) const override;
  DeviceMemory memory() const override;
  size_t kv_page_bytes(const KvShape& shape) const override;
  std::unique_ptr<KvCache> kv_cache(const KvShape& shape, int64_t pages) const override;

 private:
  const std::shared_ptr<Runtime> runtime_;
  std::string name_;
  const std::unique_ptr<DeviceWeights> weights_;
};

}  // namespace quern::cuda
