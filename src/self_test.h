// The self-test that a model file carries: texts with the ids and outputs that the source model gave them in f32.
// Running it shows whether the file is still what it was made from, and whether this machine computes it right.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "loaded_model.h"
#include "ops.h"

namespace quern {

// What the model makes of one text, of each kind of output that it has, from its last hidden states: the JSON that a
// file keeps, {"text", "ids", "vector"|"scores"|"sparse"|"multi_vector"}.
nlohmann::json self_test_entry(const LoadedModel& model, Ops& op, const std::string& text,
                               const std::vector<int32_t>& ids, const Tensor& states);

// Runs it: {"passed", "least_cosine", "texts": [{"text", "ids_equal", "cosine"}]}, where a text's cosine is the lowest
// of its outputs'. It passes when all ids are equal and all cosines at least what the type keeps. Throws
// Error{bad_argument} for a model without one, {bad_file} for one that cannot be read.
std::string run_self_test(const LoadedModel& model);

}  // namespace quern
