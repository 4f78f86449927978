// What real activations look like at the input of each linear layer, and what follows for how its weights are stored:
// smoothing factors and the matrix for error-compensated rounding.
#pragma once
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "convert/factors.h"
#include "loaded_model.h"
#include "parallel.h"

namespace quern {

// How many of K neighbouring inputs make good each other's rounding errors: all up to 4,096, then in equal parts. Time
// grows with the square of it and memory too, and what it brings ends long before (docs/lab/quantization.md).
int64_t inputs_together(int64_t K);

// Statistics of one linear's inputs over all calibration tokens.
struct InputStats {
  // Of every inputs_together(K): the sum of xᵀx, its lower triangle, channels in reverse order.
  std::vector<SquareMatrix> gram;
  std::vector<float> samples;  // rows of K: some of the tokens
  int64_t tokens = 0;
};

// Keeps the calibration texts' hidden states and moves them through the source model one layer at a time. A layer's
// Gram matrices take at most `gram_bytes` together, or one matrix: where they need more (many experts), the layer runs
// again for those that are asked for next.
class Calibration final : public LinearObserver {
 public:
  // texts: bounded here to kMaxTokens tokens in all. Throws Error{bad_argument} when none has tokens.
  Calibration(const LoadedModel& source, const std::vector<std::string>& texts, Pool& pool, size_t gram_bytes);

  void run_layer(int i);  // in order from 0; statistics of earlier layers are dropped
  // Of a linear of that layer; valid until the next call. Throws Error{unsupported} for one that no token reached.
  const InputStats& stats(const Linear& linear);

  void observe(Ops& op, const Linear& linear, const Tensor& x) override;

 private:
  struct Pack {
    std::vector<int32_t> ids, types;
    std::vector<Sequence> texts;
    std::vector<float> states;  // (T, D), before the layer
    std::vector<float> next;    // behind it
  };
  static constexpr size_t kPackTokens = 256, kMaxTokens = 16384, kSamples = 1536;
  static constexpr int64_t kStrip = 96;

  void collect(const Linear* first);
  void add_products(const float* values, int64_t T, int64_t stride, SquareMatrix& gram);

  const LoadedModel& source_;
  Pool& pool_;
  const size_t gram_bytes_;
  const std::unique_ptr<Ops> op_;
  std::vector<Pack> packs_;
  int64_t stride_ = 1;  // every so many tokens is a sample
  int layer_ = -1;
  const Linear* first_ = nullptr;  // whose statistics are wanted before others'; null: whichever come first
  size_t held_ = 0;                // bytes of Gram matrices
  std::map<const Linear*, InputStats> stats_;
  std::set<const Linear*> passed_over_;  // in this run of the layer
};

// The texts of a file, one per line; the built-in ones for an empty name.
std::vector<std::string> calibration_texts(const std::string& file);

// How much of each input is not explained by the inputs after it that it is together with, K mean squares: what the
// rounding errors of weights meet once they are compensated. Empty when it cannot be had (inputs that are not finite).
std::vector<float> unexplained(const InputStats& stats, const KernelTable& kernels, Pool& pool);

// Rounding::U for inputs x · smooth: the upper Cholesky factors of the inverses of the damped Gram matrices. Empty when
// they cannot be had.
std::vector<SquareMatrix> compensation(const InputStats& stats, const std::vector<float>& smooth,
                                       const KernelTable& kernels, Pool& pool);

}  // namespace quern
