// GGUF's numbers for ggml-like's weight types: the one place that knows both. A new weight type is a line in
// weight_types.cpp.
#pragma once
#include <cstdint>

#include "quants/type_info.h"

namespace quern {

// The type of the tensor that an array of a matrix becomes; an id of gguf/types.h.
uint32_t gguf_type_of(const TypeInfo& type, const ArraySpec& array);

// general.file_type of a file in which it is the main type.
uint32_t gguf_file_type_of(const TypeInfo& type);

// The type whose rows a tensor of this GGUF type holds; null where quern runs none.
const TypeInfo* row_type_of_gguf(uint32_t id);

}  // namespace quern
