#include "cuda/cuda_device.h"

#include "cuda/cuda_ops.h"

namespace quern::cuda {

CudaDevice::CudaDevice(std::shared_ptr<Runtime> runtime)
    : runtime_(std::move(runtime)), weights_(std::make_unique<DeviceWeights>(*runtime_)) {
  const DeviceFacts facts = runtime_->facts();
  name_ = "cuda:" + std::to_string(facts.index) + " (" + facts.name + ")";
}

bool CudaDevice::adopt(std::span<Linear* const> linears) const {
  for (const Linear* linear : linears)
    for (const Linear::Part& part : linear->parts) DeviceWeights::require_kernels(*part.w.type);
  for (const Linear* linear : linears) {
    weights_->floats(linear->bias, linear->N);
    weights_->floats(linear->smooth, linear->K);
    for (const Linear::Part& part : linear->parts) {
      if (DeviceWeights::is_q8(*part.w.type))
        weights_->q8(part.w);
      else
        weights_->matrix(part.w);
    }
  }
  return !linears.empty();
}

void CudaDevice::adopt(const Table& table) const {
  weights_->table(table);
}

std::unique_ptr<Ops> CudaDevice::ops(const OpsOptions& options) const {
  return std::make_unique<CudaOps>(*runtime_, *weights_, options.precision);
}

size_t CudaDevice::bytes_of(const Linear& linear) const {
  size_t bytes = 0;
  for (const Linear::Part& part : linear.parts) {
    DeviceWeights::require_kernels(*part.w.type);
    bytes += DeviceWeights::bytes_of(part.w);
  }
  return bytes + static_cast<size_t>((linear.bias ? linear.N : 0) + (linear.smooth ? linear.K : 0)) * sizeof(float);
}

size_t CudaDevice::bytes_of(const Table& table) const {
  return DeviceWeights::bytes_of(table);
}

DeviceMemory CudaDevice::memory() const {
  const DeviceFacts facts = runtime_->facts();
  return {static_cast<uint64_t>(facts.memory), static_cast<uint64_t>(facts.free_memory)};
}

size_t CudaDevice::kv_page_bytes(const KvShape&) const {
  return 0;
}

std::unique_ptr<KvCache> CudaDevice::kv_cache(const KvShape&, int64_t) const {
  throw Error(Status::unsupported, "generating runs on the CPU alone yet: load the model with --device cpu");
}

}  // namespace quern::cuda
