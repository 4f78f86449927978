// The weights of a Hugging Face folder, by the names and shapes that WeightSpecs state.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "models/weight_changes.h"
#include "models/weight_source.h"
#include "safetensors/safetensors.h"

namespace quern {

class HfWeights final : public WeightSource {
 public:
  // dir: the model's folder; transformer: where in it the transformer's weights are, usually ""; prefixes: what may
  // stand before any name of theirs ("", "bert."). changes: what is done to the transformer's tensors when they are
  // bound; may be null. Throws Error{not_found}, {bad_file}, {unsupported}.
  HfWeights(std::string dir, const std::string& transformer, std::vector<std::string> prefixes,
            WeightChanges* changes = nullptr);

  // Reads the folders that the specs name before it binds.
  void bind(std::span<const WeightSpec> specs, WeightStore& store) override;
  bool holds(const WeightSpec& spec) const override {
    return spec.made.empty() && ((!spec.optional && spec.or_else.empty()) || has(spec) || parted_.count(spec.name));
  }
  std::optional<WeightTensors> find(const WeightSpec& spec, size_t part) const override;
  void done_with(const WeightSpec& spec) const override;
  // By the names and in the order of the map, whatever the files' own are.
  void each(const WeightMap& map, const std::function<void(const HashedWeight&)>& f) const override;
  SourceContents contents() const override;  // the transformer's
  bool as_trained() const override { return true; }

  WeightTensors tensors(const WeightSpec& spec, size_t part) const;  // of a spec that was bound
  bool has(const WeightSpec& spec) const;                            // a tensor by its first spelling
  int64_t rows(const std::string& folder, const std::string& name);  // of a folder's matrix; "": the transformer's
  int64_t columns(const std::string& name) const;                    // of the transformer's; 0: there is no such matrix

 private:
  void change(const WeightSpec& spec);
  void choose_rows(const WeightSpec& spec);
  void pick_rows(const WeightSpec& spec);
  WeightTensors unchanged(const WeightSpec& spec, size_t part) const;
  const Safetensors& open(const std::string& folder);
  const Safetensors& file_of(const WeightSpec& spec) const;
  const StTensor* spelled(const Safetensors& file, const std::string& spellings,
                          std::initializer_list<const char*> suffixes) const;

  std::string dir_;
  std::vector<std::string> prefixes_;
  std::string prefix_;  // under which the first spec was found, for messages
  Safetensors transformer_;
  std::map<std::string, Safetensors> folders_;
  WeightChanges* changes_;
  std::map<std::pair<std::string, size_t>, WeightTensors> changed_;  // by spec and part; in changed_store_
  std::set<std::string> changed_tables_;                             // names of the tensors that they were
  std::set<std::string> parted_;  // specs that are another's tensor no longer, one of both having changed
  WeightStore changed_store_;
};

}  // namespace quern
