// The weights of a Hugging Face folder, by the names and shapes that WeightSpecs state.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/weight_map.h"
#include "safetensors/safetensors.h"

namespace quern {

// The tensors of one part: weight (or gamma) and bias (or beta), of the spec's shape; no bias where the spec has none.
// Views: a part of a fused tensor, a table from its first used row on.
struct HfTensors {
  StTensor weight;
  std::optional<StTensor> bias;
};

class HfWeights {
 public:
  // dir: the model's folder; transformer: where in it the transformer's weights are, usually ""; prefixes: what may
  // stand before any name of theirs ("", "bert."). Throws Error{not_found}, {bad_file}, {unsupported}.
  HfWeights(std::string dir, const std::string& transformer, std::vector<std::string> prefixes);

  // Reads the folders that the specs name, then binds each spec in place, or by a copy in `store` where its bytes
  // cannot be used as they lie. This must outlive the model. Throws Error{bad_file} naming tensor, expected and found
  // shape; {unsupported} for dtypes other than F32, F16 and BF16.
  void bind(std::span<const WeightSpec> specs, WeightStore& store);

  HfTensors find(const WeightSpec& spec, size_t part) const;  // of a spec that was bound
  bool has(const WeightSpec& spec) const;                     // a tensor by its first spelling
  // Whether the folder has tensors of its own for it: not of what config.json implies, what is optional and missing, or
  // what is another one's (a tied head).
  bool holds(const WeightSpec& spec) const {
    return spec.made.empty() && ((!spec.optional && spec.or_else.empty()) || has(spec));
  }
  int64_t rows(const std::string& folder, const std::string& name);  // of a folder's matrix
  const Safetensors& transformer() const { return transformer_; }
  void release(const HfTensors& tensors) const noexcept;  // their pages will not be used again; only a hint

 private:
  const Safetensors& open(const std::string& folder);
  const Safetensors& file_of(const WeightSpec& spec) const;
  const StTensor* find(const Safetensors& file, const std::string& spellings,
                       std::initializer_list<const char*> suffixes) const;

  std::string dir_;
  std::vector<std::string> prefixes_;
  std::string prefix_;  // under which the first spec was found, for messages
  Safetensors transformer_;
  std::map<std::string, Safetensors> folders_;
};

// n elements of a float tensor (F32, F16, BF16; bytes need not be aligned) from element `first` on, as f32.
void read_floats(const StTensor& tensor, int64_t first, int64_t n, float* out);

}  // namespace quern
