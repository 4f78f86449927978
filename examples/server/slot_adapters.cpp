// A model's adapters, which come and go while it is served.
#include <algorithm>

#include "model_slot.h"

namespace server {
namespace {

constexpr size_t kMostRemoved = 1024;  // names that are remembered

// What is wrong with an adapter is wrong with the request that names it.
std::shared_ptr<ServedModel> read_adapter(const ServedModel& model, const AdapterSource& adapter) {
  try {
    return model.read_adapter(adapter);
  } catch (const QuernError& e) {
    if (e.status == QUERN_OUT_OF_MEMORY || e.status == QUERN_INTERNAL) throw;
    throw Refusal{Reason::validation, e.message, "lora_path"};
  }
}

}  // namespace

std::vector<AdapterSource> ModelSlot::adapters() const {
  std::lock_guard lock(mutex_);
  return source_.adapters;
}

bool ModelSlot::has_adapter_locked(const std::string& name) const {
  return name.empty() || std::any_of(source_.adapters.begin(), source_.adapters.end(),
                                     [&](const AdapterSource& adapter) { return adapter.name == name; });
}

bool ModelSlot::has_adapter(const std::string& name) const {
  std::lock_guard lock(mutex_);
  return has_adapter_locked(name);
}

bool ModelSlot::takes_adapters() const {
  std::lock_guard lock(mutex_);
  return !source_.adapters.empty() || !removed_adapters_.empty();
}

bool ModelSlot::knows_adapter(const std::string& name) const {
  std::lock_guard lock(mutex_);
  return has_adapter_locked(name) ||
         std::find(removed_adapters_.begin(), removed_adapters_.end(), name) != removed_adapters_.end();
}

void ModelSlot::require_adapter_locked(const std::string& name, const char* param) const {
  if (has_adapter_locked(name)) return;
  std::string names;
  for (const AdapterSource& adapter : source_.adapters) names += (names.empty() ? "" : ", ") + adapter.name;
  throw Refusal{Reason::unknown_model,
                "model \"" + id + "\" has no adapter \"" + name.substr(0, 100) + "\"; it has " +
                    (names.empty() ? "none (--adapter NAME=DIR)" : names),
                param};
}

void ModelSlot::require_adapter(const std::string& name) const {
  std::lock_guard lock(mutex_);
  require_adapter_locked(name, "model");
}

void ModelSlot::add_adapter(AdapterSource adapter, bool in_place, const Patience& patience) {
  const auto refuse_another = [&] {
    if (!in_place && has_adapter(adapter.name))
      throw Refusal{Reason::validation,
                    "model \"" + id + "\" has an adapter \"" + adapter.name + "\" already: unload it first",
                    "lora_name"};
  };
  refuse_another();
  const std::shared_ptr<ServedModel> model = use(patience);  // which stays meanwhile
  const Gate::Pass one = room_.loading(patience);
  refuse_another();
  std::shared_ptr<ServedModel> made = read_adapter(*model, adapter);
  room_.check_room("adapter \"" + adapter.name + '"', quern_adapter_bytes(made->adapter()));
  std::lock_guard lock(mutex_);
  std::vector<AdapterSource>& all = source_.adapters;
  all.reserve(all.size() + 1);
  added_bytes_ += model->set_adapter(adapter.name, std::move(made));
  std::erase(removed_adapters_, adapter.name);
  const auto old = std::find_if(all.begin(), all.end(), [&](const auto& a) { return a.name == adapter.name; });
  if (old == all.end())
    all.push_back(std::move(adapter));
  else
    *old = std::move(adapter);  // its number stays
}

void ModelSlot::remove_adapter(const std::string& name) {
  std::lock_guard lock(mutex_);
  require_adapter_locked(name, "lora_name");
  std::erase_if(source_.adapters, [&](const AdapterSource& adapter) { return adapter.name == name; });
  if (removed_adapters_.size() == kMostRemoved) removed_adapters_.erase(removed_adapters_.begin());
  removed_adapters_.push_back(name);
  if (usual_adapter_ == name) usual_adapter_.clear();
  if (loaded_) added_bytes_ += loaded_->set_adapter(name, nullptr);
}

std::string ModelSlot::usual_adapter() const {
  std::lock_guard lock(mutex_);
  return usual_adapter_;
}

void ModelSlot::set_usual_adapter(const std::string& name) {
  std::lock_guard lock(mutex_);
  require_adapter_locked(name, "");
  usual_adapter_ = name;
}

}  // namespace server
