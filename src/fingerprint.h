// What a model's vectors depend on, as a short hash.
#pragma once
#include <functional>
#include <string>

#include "loaded_model.h"

namespace quern {

// SHA-256 of a source's tensors, as hexadecimal digits. Reads all of them; `after` hears of each, with its bytes.
std::string hash_weights(const LoadedModel& model,
                         const std::function<void(const std::string& name, double bytes)>& after = {});

// 32 hexadecimal digits of a hash over weights, type, tokenizer, pipeline, length and prompts.
std::string make_fingerprint(const std::string& weights_sha256, const std::string& type, const ModelSettings& settings);

// The one that a model file keeps; other sources' weights are read through once.
std::string fingerprint_of(const LoadedModel& model);

}  // namespace quern
