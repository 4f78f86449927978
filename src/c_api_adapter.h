// Adapters as calls name them.
#pragma once
#include <span>
#include <vector>

#include "adapters/adapter.h"
#include "c_api.h"

struct quern_adapter {
  std::shared_ptr<const quern::Adapter> rep;
};

namespace quern::c_api {

// The adapter of text i of n: each[i], where there is a list, else `all`. Null: none. Throws Error{bad_argument} for
// one of another model.
std::vector<std::shared_ptr<const Adapter>> adapters_of(const quern_adapter* all, const quern_adapter* const* each,
                                                        size_t n, const LoadedModel& model);
std::shared_ptr<const Adapter> adapter_of(const quern_adapter* adapter, const LoadedModel& model);

// The changes of a call's texts, for its length; the caller keeps the adapters.
class CallChanges {
 public:
  template <class Options>
  CallChanges(const Options& o, size_t n, const LoadedModel& model) {
    if (!o.adapter && !o.adapters) return;
    for (const auto& adapter : adapters_of(o.adapter, o.adapters, n, model))
      all_.push_back(adapter ? &adapter->changes() : nullptr);
  }
  std::span<const LinearChanges* const> all() const { return all_; }

 private:
  std::vector<const LinearChanges*> all_;
};

}  // namespace quern::c_api
