#include "heads/vector_head.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "error.h"
#include "models/config_map.h"

namespace quern {
namespace {

constexpr float kNormEps = 1e-5f;  // torch.nn.LayerNorm's

Tensor dense(Ops& op, const Pipeline::Module& module, const HeadWeights::Module& weights, const Tensor& row) {
  const std::string& name = module.dense.activation;
  const bool of_ops = name != "identity" && name != "sigmoid";
  const Tensor y = op.linear(row, weights.dense, of_ops ? activation_named(name, "") : Activation::none);
  if (name == "sigmoid")
    for (int64_t i = 0; i < y.cols; ++i) y.data[i] = 1.0f / (1.0f + std::exp(-y.data[i]));
  return y;
}

Tensor layer_norm(Ops& op, const Pipeline::Module&, const HeadWeights::Module& weights, const Tensor& row) {
  return op.layer_norm(row, weights.norm, kNormEps);
}

Tensor unit_length(Ops& op, const Pipeline::Module&, const HeadWeights::Module&, const Tensor& row) {
  normalize(op.kernels(), row.data, row.cols);
  return row;
}

}  // namespace

VectorHead::VectorHead(std::span<const Pipeline::Module> modules, std::span<const HeadWeights::Module> weights,
                       int64_t D, const std::string& name)
    : modules_(modules.begin(), modules.end()) {
  static const HeadWeights::Module none;
  for (size_t i = 0; i < modules_.size(); ++i) add(modules_[i], i < weights.size() ? weights[i] : none, D, name);
  if (pools_.empty())
    throw Error(Status::bad_argument, name + ": this model makes no vectors: it has no Pooling module");
}

void VectorHead::add(const Pipeline::Module& module, const HeadWeights::Module& weights, int64_t D,
                     const std::string& name) {
  if (module.type == "Pooling") {
    for (const std::string& mode : module.pooling.modes) pools_.push_back(find_pool(mode, name));
    width_ = D * static_cast<int64_t>(pools_.size());
    skips_prompt_ = !module.pooling.include_prompt;
    return;
  }
  normalizes_ = module.type == "Normalize";  // the last one decides what cut vectors need
  if (module.type == "Normalize") {
    steps_.push_back({unit_length, &module, &weights});
    return;
  }
  if (module.dense.in_features != width_)
    throw Error(Status::bad_argument, name + ": the " + module.type + " module takes " +
                                          std::to_string(module.dense.in_features) + " values, pooling gives " +
                                          std::to_string(width_));
  steps_.push_back({module.type == "Dense" ? dense : layer_norm, &module, &weights});
  width_ = module.dense.out_features;
}

void VectorHead::apply(Ops& op, const Tensor& hidden, int64_t skip, float* out) const {
  Tensor used = hidden;
  if (skips_prompt_ && skip > 0) {
    used.data += skip * used.stride;
    used.rows -= skip;
  }
  Arena::Scope scope(op.arena());
  Tensor row = op.tensor(1, hidden.cols * static_cast<int64_t>(pools_.size()));
  // Nothing but the prompt: the reference's sum over no tokens.
  if (used.rows < 1) std::fill(row.data, row.data + row.cols, 0.0f);
  for (size_t i = 0; used.rows >= 1 && i < pools_.size(); ++i)
    pools_[i](op.kernels(), used, row.data + static_cast<int64_t>(i) * hidden.cols);
  for (const Step& step : steps_) row = step.run(op, *step.module, *step.weights, row);
  std::memcpy(out, row.data, static_cast<size_t>(width_) * sizeof(float));
}

}  // namespace quern
