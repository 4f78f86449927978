#include "models.h"

#include <algorithm>

namespace server {

Models::Models(const std::vector<ModelSource>& sources, const ModelLimits& limits, Metrics& metrics, ModelRoom& room,
               bool lazy) {
  for (const ModelSource& source : sources) {
    if (find_model(source.id).slot)
      throw QuernError{QUERN_BAD_ARGUMENT,
                       "two models are called \"" + source.id + "\": name one with -m NAME=" + source.path};
    all_.push_back(std::make_shared<ModelSlot>(source, limits, metrics, room, sources.size() > 1));
    room.add(all_.back());
  }
  if (lazy) return;
  try {
    for (const Slot& slot : all_) slot->use({});
  } catch (const Refusal& refusal) {
    throw QuernError{QUERN_OUT_OF_MEMORY, refusal.message};
  }
}

std::shared_ptr<const ModelFacts> Models::known(const Slot& slot, const Patience& patience) const {
  auto facts = slot->facts();
  if (facts->known) return facts;
  slot->use(patience);
  return slot->facts();
}

bool Models::can_classify(const Patience& patience) const {
  return std::any_of(all_.begin(), all_.end(), [&](const Slot& slot) {
    const auto facts = known(slot, patience);
    return facts->can(Task::classify) && !facts->can(Task::rerank);
  });
}

Models::Found Models::find_model(const std::string& name) const {
  for (const auto& slot : all_)
    if (slot->id == name) return {slot, {}};
  constexpr std::string_view tag = ":latest";  // that Ollama's clients add
  if (name.size() > tag.size() && name.ends_with(tag)) return find_model(name.substr(0, name.size() - tag.size()));
  const size_t colon = name.rfind(':');
  if (colon != std::string::npos) {
    for (const auto& slot : all_)
      if (slot->id == name.substr(0, colon) && slot->takes_adapters()) return {slot, name.substr(colon + 1)};
  }
  return {};
}

Models::Found Models::find(const std::string& name) const {
  if (const Found found = find_model(name); found.slot) return found;
  Found by_adapter;  // as vLLM's clients name one, where no other model has one of that name
  for (const auto& slot : all_) {
    if (name.empty() || !slot->knows_adapter(name)) continue;
    if (by_adapter.slot) return {};
    by_adapter = {slot, name};
  }
  return by_adapter;
}

namespace {

// Of a model that is loaded, which stays so as long as the result is there.
std::shared_ptr<ServedModel> with_adapter(std::shared_ptr<ServedModel> model, const std::string& name) {
  if (name.empty()) return model;
  using Both = std::pair<std::shared_ptr<ServedModel>, std::shared_ptr<ServedModel>>;
  const auto both = std::make_shared<Both>(model->with_adapter(name), model);
  if (!both->first)  // unloaded meanwhile
    throw Refusal{Reason::unknown_model, "model \"" + model->id + "\" has no adapter \"" + name + "\" any more",
                  "model"};
  return {both, both->first.get()};
}

}  // namespace

std::shared_ptr<ServedModel> Models::pick(const std::string& name, Task task, const Patience& patience,
                                          const ModelSlot::Keep& keep, const std::string& adapter) const {
  if (const auto [slot, own] = find(name); slot) {
    const std::string wanted = !adapter.empty() ? adapter : !own.empty() ? own : slot->usual_adapter();
    slot->require_adapter(wanted);
    const auto facts = known(slot, patience);
    if (facts->can(task)) return with_adapter(slot->use(patience, keep), wanted);
    std::string does;
    for (const std::string& t : facts->tasks()) does += (does.empty() ? "" : ", ") + t;
    throw Refusal{Reason::wrong_task, "model \"" + name + "\" is not one for " + name_of(task) + "; it is for " + does,
                  "model"};
  }
  Slot found;
  std::string names;
  int n = 0;
  const bool real = task == Task::classify && can_classify(patience);
  for (const auto& slot : all_) {
    const auto facts = known(slot, patience);
    if (!facts->can(task) || (real && facts->can(Task::rerank))) continue;
    found = slot;
    names += (n++ ? ", " : "") + slot->id;
  }
  if (n == 0)
    throw Refusal{Reason::wrong_task,
                  task == Task::rerank ? "model is not a re-ranker model"
                                       : std::string("no model for ") + name_of(task) + " is served here",
                  "model"};
  if (n > 1) throw Refusal{Reason::unknown_model, "several models do this: set `model` to one of " + names, "model"};
  found->require_adapter(adapter);
  return with_adapter(found->use(patience, keep), adapter.empty() ? found->usual_adapter() : adapter);
}

}  // namespace server
