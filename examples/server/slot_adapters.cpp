// A model's adapters, which come and go while it is served.
#include <algorithm>

#include "model_slot.h"

namespace server {
namespace {

constexpr size_t kMostRemoved = 1024;  // names that are remembered

// What is wrong with an adapter is wrong with the request that names it.
uint64_t read_adapter(ServedModel& model, const AdapterSource& adapter) {
  try {
    return model.add_adapter(adapter);
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

void ModelSlot::add_adapter(const AdapterSource& adapter, const Patience& patience) {
  const auto refuse_another = [&] {
    throw Refusal{Reason::validation,
                  "model \"" + id + "\" has an adapter \"" + adapter.name + "\" already: unload it first", "lora_name"};
  };
  if (has_adapter(adapter.name)) refuse_another();
  const std::shared_ptr<ServedModel> model = use(patience);  // which stays meanwhile
  const Gate::Pass one = room_.loading(patience);
  if (has_adapter(adapter.name)) refuse_another();
  const uint64_t bytes = read_adapter(*model, adapter);
  try {
    room_.check_room("adapter \"" + adapter.name + '"', bytes);
    std::lock_guard lock(mutex_);
    source_.adapters.push_back(adapter);
    std::erase(removed_adapters_, adapter.name);
    added_bytes_ += static_cast<int64_t>(bytes);
  } catch (...) {
    model->remove_adapter(adapter.name);
    throw;
  }
}

void ModelSlot::remove_adapter(const std::string& name) {
  std::lock_guard lock(mutex_);
  if (name.empty() || !has_adapter_locked(name))
    throw Refusal{Reason::unknown_model, "model \"" + id + "\" has no adapter \"" + name.substr(0, 100) + '"',
                  "lora_name"};
  std::erase_if(source_.adapters, [&](const AdapterSource& adapter) { return adapter.name == name; });
  if (removed_adapters_.size() == kMostRemoved) removed_adapters_.erase(removed_adapters_.begin());
  removed_adapters_.push_back(name);
  if (usual_adapter_ == name) usual_adapter_.clear();
  if (loaded_) added_bytes_ -= static_cast<int64_t>(loaded_->remove_adapter(name));
}

std::string ModelSlot::usual_adapter() const {
  std::lock_guard lock(mutex_);
  return usual_adapter_;
}

void ModelSlot::set_usual_adapter(const std::string& name) {
  std::lock_guard lock(mutex_);
  if (!has_adapter_locked(name))
    throw Refusal{Reason::unknown_model, "model \"" + id + "\" has no adapter \"" + name.substr(0, 100) + '"'};
  usual_adapter_ = name;
}

}  // namespace server
