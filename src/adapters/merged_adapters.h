// Adapters that become part of a model's weights: W + s·B·A, in f32, before anything is made of them.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "adapters/peft_folder.h"
#include "models/weight_changes.h"
#include "parallel.h"

namespace quern {

struct LoadedModel;

struct AdapterToMerge {
  std::string dir;
  float weight = 1;  // that its products are multiplied by
};

class MergedAdapters final : public WeightChanges {
 public:
  // In turn. Throws Error.
  MergedAdapters(std::span<const AdapterToMerge> adapters, int threads);

  bool change(const WeightSpec& spec, size_t part, std::span<const std::string> prefixes, WeightTensors& tensors,
              WeightStore& store) override;

  // Of the model that they were merged into: throws Error{bad_file} for a layer that it has not, enters a decision for
  // each adapter, and returns what its user should know.
  std::vector<std::string> finish(LoadedModel& model) const;

  std::vector<std::string> files() const;

 private:
  struct Adapter {
    PeftFolder folder;
    float weight;
    std::map<std::string, const PeftModule*> modules;
    std::set<std::string> used, tables;
  };
  struct Target;
  void apply(const Adapter& adapter, const std::string& name, const PeftModule& module, Target& target);
  void add_product(const Adapter& adapter, const std::string& name, const PeftModule& module, Target& target);

  std::vector<Adapter> adapters_;
  Pool pool_;
};

}  // namespace quern
