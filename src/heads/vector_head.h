// Texts' last hidden states → a vector for each, by the modules of a sentence-transformers model in their order.
// Immutable once made; apply may be called from any number of threads.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "heads/head_weights.h"
#include "heads/pooling.h"

namespace quern {

class VectorHead {
 public:
  // weights: one for each module, which must outlive this; D: the model's width; name: the model's file, for messages.
  // Throws Error{bad_argument} for a pooling mode that does not exist, and where widths do not fit.
  VectorHead(std::span<const Pipeline::Module> modules, std::span<const HeadWeights::Module> weights, int64_t D,
             const std::string& name);
  VectorHead(const VectorHead&) = delete;
  VectorHead& operator=(const VectorHead&) = delete;

  int64_t width() const { return width_; }  // floats that apply writes
  bool normalizes() const { return normalizes_; }
  bool skips_prompt() const { return skips_prompt_; }

  // states: (T, D) of a batch; skip: the first tokens of each text that take no part in pooling (0 or more; ignored
  // unless skips_prompt). → (texts, width), on op's memory.
  Tensor apply(Ops& op, const Tensor& states, std::span<const Sequence> texts, int64_t skip) const;

 private:
  // What follows pooling, over one row for each text.
  struct Step {
    Tensor (*run)(Ops& op, const Pipeline::Module& module, const HeadWeights::Module& weights, const Tensor& rows);
    const Pipeline::Module* module;
    const HeadWeights::Module* weights;
  };
  void add(const Pipeline::Module& module, const HeadWeights::Module& weights, int64_t D, const std::string& name);

  std::vector<Pipeline::Module> modules_;
  std::vector<Pooling> pools_;
  std::vector<Step> steps_;
  int64_t width_ = 0;
  bool normalizes_ = false, skips_prompt_ = false;
};

}  // namespace quern
