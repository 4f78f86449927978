#include "model_slot.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <utility>

#include "wording.h"

namespace server {
namespace {

ModelRoom::Seconds usual_keep(const ModelRoom& room) {
  return room.limits().idle.count() > 0 ? room.limits().idle : ModelRoom::Seconds(-1);
}

// What goes wrong with a model's files or memory is not its request's fault.
std::shared_ptr<ServedModel> made_by(const ModelSlot& slot, const ModelLimits& limits) {
  try {
    return slot.make(limits);
  } catch (const QuernError& e) {
    const bool memory = e.status == QUERN_OUT_OF_MEMORY ||
                        (e.status == QUERN_BAD_ARGUMENT &&
                         limits.generation.generator.kv_memory != slot.limits().generation.generator.kv_memory);
    throw Refusal{memory ? Reason::memory : Reason::internal, e.message, "model"};
  }
}

}  // namespace

ModelRoom::~ModelRoom() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  if (watcher_.joinable()) watcher_.join();
}

void ModelRoom::add(const std::shared_ptr<ModelSlot>& slot) {
  std::lock_guard lock(mutex_);
  std::erase_if(slots_, [](const auto& s) { return s.expired(); });
  slots_.push_back(slot);
}

std::vector<std::shared_ptr<ModelSlot>> ModelRoom::slots() {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<ModelSlot>> out;
  for (const auto& weak : slots_)
    if (auto slot = weak.lock()) out.push_back(std::move(slot));
  return out;
}

uint64_t ModelRoom::resident(const ModelSlot* but) {
  uint64_t all = 0;
  for (const auto& slot : slots())
    if (slot.get() != but) all += slot->resident();
  return all;
}

// Gives up models until there is room for so many bytes.
void ModelRoom::make_room(const ModelSlot& wanted, uint64_t bytes) {
  if (limits_.memory == 0) return;
  while (resident(&wanted) + bytes > limits_.memory) {
    std::vector<std::shared_ptr<ModelSlot>> all = slots();
    std::stable_sort(all.begin(), all.end(),
                     [](const auto& a, const auto& b) { return a->last_used() < b->last_used(); });
    std::shared_ptr<ServedModel> oldest;
    std::string users;
    for (const auto& slot : all) {
      if (slot.get() == &wanted) continue;
      if (!oldest) oldest = slot->take_if_idle();
      if (slot->resident() > 0) users += ", " + mib_text(slot->resident()) + " by " + slot->id + " in use";
    }
    if (!oldest)
      throw Refusal{Reason::memory,
                    "model \"" + wanted.id + "\" needs " + mib_text(bytes) + " of the " + mib_text(limits_.memory) +
                        " that models may take (--max-memory)" + (users.empty() ? "" : "; taken are" + users.substr(1)),
                    "model"};
    if (say) say("unloaded " + oldest->id + ": " + wanted.id + " needs its memory");
    oldest.reset();  // before it is looked again: its memory is free when it is gone
  }
}

std::shared_ptr<ServedModel> ModelRoom::load(ModelSlot& slot, const Patience& patience) {
  const Gate::Pass pass = loading_.enter(patience);
  const Clock::time_point begun = Clock::now();
  const uint64_t expected = slot.facts()->memory();
  make_room(slot, expected);
  ModelLimits limits = slot.limits();
  uint64_t& keys = limits.generation.generator.kv_memory;
  if (limits_.memory > 0 && keys == 0) {
    // Of what weights leave: all, or half where others want some.
    const uint64_t taken = resident(&slot) + slot.facts()->bytes;
    const uint64_t left = limits_.memory - std::min(limits_.memory, taken);
    keys = std::max<uint64_t>(slot.one_of_many() ? left / 2 : left, 1);
  }
  auto made = made_by(slot, limits);
  make_room(slot, made->memory());
  if (say) {
    const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
    char text[32];
    std::snprintf(text, sizeof text, " in %.1f s", seconds);
    say("loaded " + slot.id + text + (made->generation ? ": " + made->generation->room() : ""));
    if (const std::string lack = made->lack_of_threads(limits.texts.n_threads); !lack.empty()) say(lack);
    for (const std::string& note : made->notes) say(note);
  }
  return made;
}

void ModelRoom::check_room(const std::string& what, uint64_t bytes) {
  const uint64_t taken = resident(nullptr);
  if (limits_.memory > 0 && taken + bytes > limits_.memory)
    throw Refusal{Reason::memory, what + " needs " + mib_text(bytes) + "; of the " + mib_text(limits_.memory) +
                                      " that models may take (--max-memory) " + mib_text(taken) + " are taken"};
}

void ModelRoom::look() {
  std::lock_guard lock(mutex_);
  looks_ = true;
  changed_.notify_all();
  if (watcher_.joinable() || ending_) return;
  try {
    watcher_ = std::thread([this] { watch(); });
  } catch (const std::system_error&) {  // without it models stay loaded
  }
}

void ModelRoom::watch() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    looks_ = false;
    lock.unlock();
    const Clock::time_point now = Clock::now();
    std::optional<Clock::time_point> next;
    for (const auto& slot : slots()) {
      std::optional<Clock::time_point> due;
      if (const auto idle = slot->take_if_due(now, due); idle && say) say("unloaded " + idle->id + ": idle");
      if (due && (!next || *due < *next)) next = due;
    }
    lock.lock();
    const auto wake = [this] { return ending_ || looks_; };
    if (next) {
      changed_.wait_until(lock, *next, wake);
    } else {
      changed_.wait(lock, wake);
    }
  }
}

ModelSlot::ModelSlot(const ModelSource& source, const ModelLimits& limits, Metrics& metrics, ModelRoom& room,
                     bool one_of_many)
    : id(source.id),
      source_(source),
      limits_(limits),
      metrics_(metrics),
      room_(room),
      one_of_many_(one_of_many),
      facts_(std::make_shared<const ModelFacts>(source)),
      keep_(usual_keep(room)) {}

std::shared_ptr<const ModelFacts> ModelSlot::facts() const {
  std::lock_guard lock(mutex_);
  return facts_;
}

std::shared_ptr<ServedModel> ModelSlot::make(const ModelLimits& limits) const {
  std::unique_lock lock(mutex_);
  const ModelSource source = source_;
  lock.unlock();
  return std::make_shared<ServedModel>(source, limits, metrics_, one_of_many_);
}

std::shared_ptr<ServedModel> ModelSlot::use(const Patience& patience, const Keep& keep) {
  std::unique_lock lock(mutex_);
  while (!loaded_ && loading_) {
    const uint64_t attempt = attempts_;
    while (loading_ && attempts_ == attempt) {
      changed_.wait_for(lock, std::chrono::milliseconds(kLookMs));
      lock.unlock();
      if (const auto end = patience.end()) throw *end;
      lock.lock();
    }
    if (!loaded_ && attempts_ == attempt + 1 && failure_) throw Refusal(*failure_);
  }
  if (loaded_) return lease(keep);
  loading_ = true;
  lock.unlock();
  std::shared_ptr<ServedModel> made;
  std::exception_ptr failure;  // this thread's own; others are told the same by a copy
  std::optional<Refusal> told;
  try {
    made = room_.load(*this, patience);
    metrics_.counter("quern_model_loads_total", label("model", id)).add();
  } catch (...) {
    failure = std::current_exception();
    try {
      told = refusal_of_current();
    } catch (const std::bad_alloc&) {  // then those who wait try for themselves
    }
  }
  lock.lock();
  loading_ = false;
  ++attempts_;
  failure_ = std::move(told);
  if (made) {
    facts_ = std::make_shared<const ModelFacts>(*made);
    loaded_ = std::move(made);
    added_bytes_ = 0;
  }
  changed_.notify_all();
  if (failure) std::rethrow_exception(failure);
  return lease(keep);
}

std::shared_ptr<ServedModel> ModelSlot::lease(const Keep& keep) {
  struct Lease {
    std::shared_ptr<ModelSlot> slot;
    ~Lease() {
      if (slot) slot->release();
    }
  };
  const auto made = std::make_shared<Lease>();
  made->slot = shared_from_this();
  keep_ = keep.value_or(usual_keep(room_));
  ++users_;
  return {made, loaded_.get()};
}

void ModelSlot::release() {
  bool may_go = false;
  {
    std::lock_guard lock(mutex_);
    last_used_ = Clock::now();
    may_go = --users_ == 0 && due().has_value();
  }
  if (may_go) room_.look();
}

std::optional<ModelSlot::Time> ModelSlot::due() const {
  if (!loaded_ || users_ > 0 || keep_.count() < 0) return std::nullopt;
  return last_used_ + std::chrono::duration_cast<Clock::duration>(keep_);
}

std::shared_ptr<ServedModel> ModelSlot::if_loaded() const {
  std::lock_guard lock(mutex_);
  return loaded_;
}

ModelSlot::State ModelSlot::state() const {
  std::lock_guard lock(mutex_);
  State s{loaded_ != nullptr, loading_, users_, std::nullopt};
  if (!loaded_ || keep_.count() < 0) return s;
  const Time from = users_ > 0 ? Clock::now() : last_used_;
  s.expires = std::chrono::system_clock::now() +
              std::chrono::duration_cast<std::chrono::system_clock::duration>(from - Clock::now() + keep_);
  return s;
}

uint64_t ModelSlot::resident() const {
  std::lock_guard lock(mutex_);
  return loaded_ ? loaded_->memory() + static_cast<uint64_t>(added_bytes_) : 0;
}

ModelSlot::Time ModelSlot::last_used() const {
  std::lock_guard lock(mutex_);
  return last_used_;
}

std::shared_ptr<ServedModel> ModelSlot::take_if_idle() {
  std::lock_guard lock(mutex_);
  return users_ > 0 ? nullptr : std::exchange(loaded_, nullptr);
}

std::shared_ptr<ServedModel> ModelSlot::take_if_due(Time now, std::optional<Time>& next) {
  std::lock_guard lock(mutex_);
  next = due();
  if (!next || *next > now) return nullptr;
  next.reset();
  return std::exchange(loaded_, nullptr);
}

}  // namespace server
