// The weights of a Hugging Face folder, by the names and shapes that WeightSpecs state.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/weight_source.h"
#include "safetensors/safetensors.h"

namespace quern {

class HfWeights final : public WeightSource {
 public:
  // dir: the model's folder; transformer: where in it the transformer's weights are, usually ""; prefixes: what may
  // stand before any name of theirs ("", "bert."). Throws Error{not_found}, {bad_file}, {unsupported}.
  HfWeights(std::string dir, const std::string& transformer, std::vector<std::string> prefixes);

  // Reads the folders that the specs name before it binds.
  void bind(std::span<const WeightSpec> specs, WeightStore& store) override;
  bool holds(const WeightSpec& spec) const override {
    return spec.made.empty() && ((!spec.optional && spec.or_else.empty()) || has(spec));
  }
  std::optional<WeightTensors> find(const WeightSpec& spec, size_t part) const override;
  void done_with(const WeightSpec& spec) const override;
  // By the names and in the order of the map, whatever the files' own are.
  void each(const WeightMap& map, const std::function<void(const HashedWeight&)>& f) const override;
  SourceContents contents() const override;  // the transformer's
  bool as_trained() const override { return true; }

  WeightTensors tensors(const WeightSpec& spec, size_t part) const;  // of a spec that was bound
  bool has(const WeightSpec& spec) const;                            // a tensor by its first spelling
  int64_t rows(const std::string& folder, const std::string& name);  // of a folder's matrix

 private:
  const Safetensors& open(const std::string& folder);
  const Safetensors& file_of(const WeightSpec& spec) const;
  const StTensor* spelled(const Safetensors& file, const std::string& spellings,
                          std::initializer_list<const char*> suffixes) const;

  std::string dir_;
  std::vector<std::string> prefixes_;
  std::string prefix_;  // under which the first spec was found, for messages
  Safetensors transformer_;
  std::map<std::string, Safetensors> folders_;
};

}  // namespace quern
