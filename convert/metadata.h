// Everything in a model file but its weights: GGUF's general keys, the architecture's, the tokenizer, quern's own.
#pragma once
#include <string>
#include <vector>

#include "dispatch.h"
#include "gguf/writer.h"
#include "loaded_model.h"
#include "parallel.h"

namespace quern {

// Texts whose ids and vectors a file keeps so that it can be checked later; `extra` is one more, if not empty.
std::vector<std::string> self_test_texts(const std::string& extra);

// in_groups: the type of linears that come in groups, null where there are none. weights_sha256: of the source's
// tensors. Runs the self-test texts through the source model.
void write_metadata(GgufWriter& file, const LoadedModel& source, const WrittenType& as, const TypeInfo* in_groups,
                    const std::string& weights_sha256, const std::vector<std::string>& self_test, Pool& pool);

}  // namespace quern
