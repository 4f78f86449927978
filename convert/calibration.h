// What real activations look like at the input of each linear layer, and what follows for how its weights are stored:
// smoothing factors and the matrix for error-compensated rounding.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "loaded_model.h"
#include "parallel.h"

namespace quern {

// Statistics of one linear's inputs over all calibration tokens.
struct InputStats {
  std::vector<float> gram;     // (K, K): sum of xᵀx
  std::vector<float> samples;  // rows of K: some of the tokens
  int64_t tokens = 0;
};

// Keeps the calibration texts' hidden states and moves them through the source model one layer at a time.
class Calibration final : public LinearObserver {
 public:
  // texts: bounded here to kMaxTokens tokens in all. Throws Error{bad_argument} when none has tokens.
  Calibration(const LoadedModel& source, const std::vector<std::string>& texts, Pool& pool);

  void run_layer(int i);  // in order from 0; statistics of earlier layers are dropped
  const InputStats& stats(const Linear& linear) const { return stats_.at(&linear); }

  void observe(Ops& op, const Linear& linear, const Tensor& x) override;

 private:
  struct Pack {
    std::vector<int32_t> ids, types;
    std::vector<Sequence> texts;
    std::vector<float> states;  // (T, D)
  };
  static constexpr size_t kPackTokens = 256, kMaxTokens = 16384, kSamples = 1536;

  const LoadedModel& source_;
  Pool& pool_;
  const std::unique_ptr<Ops> op_;
  std::vector<Pack> packs_;
  int64_t stride_ = 1;  // every so many tokens is a sample
  std::map<const Linear*, InputStats> stats_;
};

// The texts of a file, one a line; the built-in ones for an empty name.
std::vector<std::string> calibration_texts(const std::string& file);

// How much of each input is not explained by the inputs after it, K mean squares: what the rounding errors of weights
// meet once they are compensated. Empty when it cannot be had (inputs that are not finite).
std::vector<float> unexplained(const InputStats& stats, int64_t K, const KernelTable& kernels);

// U of quants/compensate.h for inputs x · smooth: the upper Cholesky factor of the inverse of the damped Gram matrix.
// Empty when it cannot be had.
std::vector<float> compensation(const InputStats& stats, const std::vector<float>& smooth, const KernelTable& kernels,
                                Pool& pool);

}  // namespace quern
