// A model that is served, loaded or not: it is loaded when a request needs it, and given up when it idles or when
// another needs its memory.
#pragma once
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "served_model.h"

namespace server {

class ModelSlot;

// The memory that all models share, and the time that an idle one stays. Of several sets of models (a reload), too.
class ModelRoom {
 public:
  using Seconds = std::chrono::duration<double>;
  struct Limits {
    uint64_t memory = 0;  // bytes of weights, keys and values; 0: any
    Seconds idle{0};      // then a model is given up; 0: never
  };
  explicit ModelRoom(const Limits& limits) : limits_(limits) {}
  ~ModelRoom();

  const Limits& limits() const { return limits_; }
  void add(const std::shared_ptr<ModelSlot>& slot);
  // Loads a slot's model, one at a time; models that were used longest ago and that nobody uses make room for it.
  // Throws Refusal: memory, with figures, where that is not enough; deadline; internal for what cannot be loaded.
  std::shared_ptr<ServedModel> load(ModelSlot& slot, const Patience& patience);
  // A turn at loading.
  Gate::Pass loading(const Patience& patience) { return loading_.enter(patience); }
  // Throws Refusal: memory, where a model that is loaded may not take so many bytes more.
  void check_room(const std::string& what, uint64_t bytes);
  // Looks soon which models are to be given up.
  void look();
  // Told of what was loaded and given up while requests are answered; set before there are any.
  std::function<void(const std::string&)> say;

 private:
  std::vector<std::shared_ptr<ModelSlot>> slots();
  uint64_t resident(const ModelSlot* but);
  void make_room(const ModelSlot& slot, uint64_t bytes);
  void watch();

  const Limits limits_;
  Gate loading_{1, SIZE_MAX};  // one model at a time, in the order in which they were wanted
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::weak_ptr<ModelSlot>> slots_;
  bool ending_ = false, looks_ = false;
  std::thread watcher_;  // from the first model on that may be given up for idling
};

class ModelSlot : public std::enable_shared_from_this<ModelSlot> {
 public:
  using Time = Clock::time_point;
  using Keep = std::optional<ModelRoom::Seconds>;  // after its use; below 0: for good. None: as the server has it

  ModelSlot(const ModelSource& source, const ModelLimits& limits, Metrics& metrics, ModelRoom& room, bool one_of_many);

  const std::string id;
  std::vector<AdapterSource> adapters() const;
  bool has_adapter(const std::string& name) const;      // "": always
  void require_adapter(const std::string& name) const;  // throws Refusal that says which it has
  // Whether a name behind the model's, or this one by itself, means an adapter: it has such ones, or had. Requests for
  // one that is gone must not get the model by itself.
  bool takes_adapters() const;
  bool knows_adapter(const std::string& name) const;
  // While it is served: until the models are loaded anew by their configuration. Throw Refusal: a name that there is
  // already, or is not; an adapter that is none of this model's; no memory.
  // in_place: also in place of one of that name, which stays where this one cannot be loaded.
  void add_adapter(AdapterSource adapter, bool in_place, const Patience& patience);
  void remove_adapter(const std::string& name);
  // What requests get that name no adapter; "": the model by itself. Throws Refusal: it has no such adapter.
  std::string usual_adapter() const;
  void set_usual_adapter(const std::string& name);
  // What is known of it: before it was loaded for the first time, its name and the size of its files.
  std::shared_ptr<const ModelFacts> facts() const;
  // The model, which stays loaded as long as the result is there. Several first uses load it once. Throws
  // Refusal as ModelRoom::load.
  std::shared_ptr<ServedModel> use(const Patience& patience, const Keep& keep = std::nullopt);
  std::shared_ptr<ServedModel> if_loaded() const;  // null: it is not; counts as no use

  struct State {
    bool loaded = false, loading = false;
    int users = 0;
    std::optional<std::chrono::system_clock::time_point> expires;  // none: it stays
  };
  State state() const;

  // For ModelRoom.
  std::shared_ptr<ServedModel> make(const ModelLimits& limits) const;
  const ModelLimits& limits() const { return limits_; }
  bool one_of_many() const { return one_of_many_; }
  uint64_t resident() const;  // bytes that it takes now
  Time last_used() const;
  std::shared_ptr<ServedModel> take_if_idle();  // from it; null: it is in use, or not loaded
  std::shared_ptr<ServedModel> take_if_due(Time now, std::optional<Time>& due);  // due: when it would be

 private:
  std::shared_ptr<ServedModel> lease(const Keep& keep);  // with the lock
  void release();
  std::optional<Time> due() const;  // with the lock

  bool has_adapter_locked(const std::string& name) const;
  void require_adapter_locked(const std::string& name, const char* param) const;

  ModelSource source_;         // its adapters change
  std::string usual_adapter_;  // of them
  std::vector<std::string> removed_adapters_;
  int64_t added_bytes_ = 0;  // by adapters that came and went since it was loaded
  const ModelLimits limits_;
  Metrics& metrics_;
  ModelRoom& room_;
  const bool one_of_many_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<const ModelFacts> facts_;
  std::shared_ptr<ServedModel> loaded_;
  bool loading_ = false;
  uint64_t attempts_ = 0;           // to load it, that ended
  std::optional<Refusal> failure_;  // of the last of them
  int users_ = 0;
  Time last_used_ = Clock::now();
  ModelRoom::Seconds keep_;
};

}  // namespace server
