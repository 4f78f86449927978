// A LoRA adapter beside a loaded model: what it changes, in f32, for the texts that ask for it. The model's weights
// stay what they are.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "linear_changes.h"
#include "loaded_model.h"

namespace quern {

// Immutable: any number of sessions and requests share one.
class Adapter {
 public:
  // dir: a peft folder. Throws Error: what conversion refuses, and unsupported for what only a conversion applies
  // (DoRA, saved modules, biases, embeddings, layers of heads).
  static std::shared_ptr<const Adapter> load(std::shared_ptr<const LoadedModel> model, const std::string& dir);

  const LoadedModel& model() const { return *model_; }
  const LinearChanges& changes() const { return changes_; }
  uint64_t number() const { return number_; }  // of this process's adapters, from 1; no two have the same
  // What vectors made with it depend on, the model's among it, as a hash of 32 characters.
  std::string fingerprint() const;
  uint64_t bytes() const { return store_.bytes(); }
  const std::vector<std::string>& notes() const { return notes_; }  // what its user should know

 private:
  friend class AdapterBinder;
  explicit Adapter(std::shared_ptr<const LoadedModel> model) : model_(std::move(model)) {}

  std::shared_ptr<const LoadedModel> model_;
  WeightStore store_;
  LinearChanges changes_;
  const uint64_t number_ = next_number();
  static uint64_t next_number();
  std::string hash_;  // of what it changes
  std::vector<std::string> notes_;
};

}  // namespace quern
