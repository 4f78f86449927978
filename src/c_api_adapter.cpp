// include/quern.h over the library: LoRA adapters.
#include "c_api_adapter.h"

using quern::c_api::guard;
using quern::c_api::require;

namespace quern::c_api {

std::shared_ptr<const Adapter> adapter_of(const quern_adapter* adapter, const LoadedModel& model) {
  if (!adapter) return nullptr;
  require(&adapter->rep->model() == &model, "adapter: was loaded for another model; load it for this one");
  return adapter->rep;
}

std::vector<std::shared_ptr<const Adapter>> adapters_of(const quern_adapter* all, const quern_adapter* const* each,
                                                        size_t n, const LoadedModel& model) {
  std::vector<std::shared_ptr<const Adapter>> adapters;
  for (size_t i = 0; i < n; ++i) adapters.push_back(adapter_of(each ? each[i] : all, model));
  return adapters;
}

}  // namespace quern::c_api

quern_status quern_adapter_load(const quern_model* model, const char* path, quern_adapter** adapter) {
  return guard([&] {
    require(model && path && adapter, "quern_adapter_load: model, path and adapter must not be NULL");
    *adapter = nullptr;
    *adapter = new quern_adapter{quern::Adapter::load(model->rep, path)};
  });
}
void quern_adapter_free(quern_adapter* adapter) {
  delete adapter;
}
quern_status quern_adapter_fingerprint(const quern_adapter* adapter, char** fingerprint) {
  return guard([&] {
    require(adapter && fingerprint, "quern_adapter_fingerprint: adapter and fingerprint must not be NULL");
    *fingerprint = nullptr;
    *fingerprint = quern::c_api::copy_string(adapter->rep->fingerprint());
  });
}
uint64_t quern_adapter_bytes(const quern_adapter* adapter) {
  return adapter ? adapter->rep->bytes() : 0;
}
const char* quern_adapter_note(const quern_adapter* adapter, size_t i) {
  return adapter && i < adapter->rep->notes().size() ? adapter->rep->notes()[i].c_str() : nullptr;
}
