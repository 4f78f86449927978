// The ways to keep keys and values by name, and what they cost.
#pragma once
#include <string>

#include "kernels.h"
#include "loaded_model.h"

namespace quern {

// The name of a KvType by its number; null behind the last.
const char* kv_type_name(int i);
// Throws Error{bad_argument} that lists what there is.
KvType kv_type_of(const std::string& name);
// Bytes that keys and values of a token take, in whole pages; 0 for a model that keeps none.
uint64_t kv_token_bytes(const LoadedModel& model, KvType type);

}  // namespace quern
