// The models that are served, and which of them a request means.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "model_slot.h"

namespace server {

class Models {
 public:
  using Slot = std::shared_ptr<ModelSlot>;
  // Loads all, unless `lazy`; those that the room has none for are given up again. Throws QuernError that names the
  // path.
  Models(const std::vector<ModelSource>& sources, const ModelLimits& limits, Metrics& metrics, ModelRoom& room,
         bool lazy);

  // By name, "model" or "model:adapter"; else the only one that has the task, where rerankers classify only if nothing
  // else does. adapter: one of that model's, in place of the name's; empty: none. What is not known of a model is found
  // out by loading it. Throws Refusal, QuernError.
  std::shared_ptr<ServedModel> pick(const std::string& name, Task task, const Patience& patience,
                                    const ModelSlot::Keep& keep = std::nullopt, const std::string& adapter = {}) const;
  // By its name, also with an adapter's behind a colon, "model:adapter", or by that alone where one model has it. Null:
  // none.
  struct Found {
    Slot slot;
    std::string adapter;  // empty: the model by itself
  };
  Found find(const std::string& name) const;
  Slot named(const std::string& name) const { return find(name).slot; }
  std::shared_ptr<const ModelFacts> known(const Slot& slot, const Patience& patience) const;  // loads what never was
  bool can_classify(const Patience& patience) const;  // by a model that is no reranker
  const std::vector<Slot>& all() const { return all_; }

 private:
  Found find_model(const std::string& name) const;  // not by an adapter's name alone

  std::vector<Slot> all_;
};

}  // namespace server
