// What follows the transformer: one text's last hidden states → its vector, by the pipeline of a sentence-transformers
// model. Immutable once made; apply may be called from any number of threads.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "hub/pipeline.h"
#include "kernels.h"
#include "tensor.h"

namespace quern {

class Heads {
 public:
  // D: the model's width; name: the model's file, for messages. Throws Error{unsupported} for a module that cannot run
  // yet and {bad_argument} for a pooling mode that does not exist.
  Heads(const Pipeline& pipeline, int64_t D, const std::string& name);

  int64_t width() const { return width_; }  // floats that apply writes
  bool normalizes() const { return normalize_; }
  bool skips_prompt() const { return skips_prompt_; }

  // hidden: (L, D), L >= 1; skip: the first tokens that take no part in pooling (0 <= skip; ignored unless
  // skips_prompt).
  void apply(const KernelTable& kernels, const Tensor& hidden, int64_t skip, float* out) const;

 private:
  using Pool = void (*)(const KernelTable&, const Tensor& hidden, float* out);
  std::vector<Pool> pools_;
  int64_t width_;
  bool normalize_ = false, skips_prompt_ = false;
};

// The names of all pooling modes, in the order in which several are concatenated.
std::vector<std::string> pooling_modes();

// x / max(|x|, 1e-12), as torch's normalize.
void normalize(const KernelTable& kernels, float* x, int64_t n);

}  // namespace quern
