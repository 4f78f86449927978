#include "heads/vector_head.h"

#include <algorithm>

#include "error.h"
#include "heads/vector_modules.h"

namespace quern {

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
  const VectorModule* row = find_vector_module(module.type);
  if (!row) throw Error(Status::bad_argument, name + ": quern does not run the module " + module.type);
  if (!row->run) {
    for (const std::string& mode : module.pooling.modes) pools_.push_back(find_pooling(mode, name));
    width_ = D * static_cast<int64_t>(pools_.size());
    skips_prompt_ = !module.pooling.include_prompt;
    return;
  }
  normalizes_ = row->normalizes;  // the last one decides what cut vectors need
  steps_.push_back({row->run, &module, &weights});
  if (!row->declare) return;
  if (module.dense.in_features != width_)
    throw Error(Status::bad_argument, name + ": the " + module.type + " module takes " +
                                          std::to_string(module.dense.in_features) + " values, pooling gives " +
                                          std::to_string(width_));
  width_ = module.dense.out_features;
}

Tensor VectorHead::apply(Ops& op, const Tensor& states, std::span<const Sequence> texts, int64_t skip) const {
  std::vector<Sequence> used(texts.begin(), texts.end());
  for (Sequence& text : used) {
    const int64_t skipped = skips_prompt_ ? std::min(skip, text.length) : 0;  // all: pooling makes zeros of no tokens
    text.first += skipped;
    text.length -= skipped;
  }
  Tensor rows;
  if (pools_.size() == 1) {
    rows = op.pool(states, used, pools_[0]);
  } else {
    rows = op.tensor(static_cast<int64_t>(texts.size()), states.cols * static_cast<int64_t>(pools_.size()));
    for (size_t i = 0; i < pools_.size(); ++i)
      op.copy(op.pool(states, used, pools_[i]), rows.columns(static_cast<int64_t>(i) * states.cols, states.cols));
  }
  for (const Step& step : steps_) rows = step.run(op, *step.module, *step.weights, rows);
  return rows;
}

}  // namespace quern
