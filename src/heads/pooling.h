// Poolings by the names that sentence-transformers' settings have. A new mode is its line in pooling.cpp, and what it
// computes in ggml-like (Pooling in ops.h).
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "ops.h"

namespace quern {

struct PoolingMode {
  const char* name;
  const char* option;  // as options spell it, which take `name` as well
  const char* flag;    // that turns it on in the settings of sentence-transformers' first versions
  Pooling pooling;
  uint32_t llama;  // llama.cpp's pooling_type; 0: it has none
};

// All modes, in the order in which several are concatenated.
std::span<const PoolingMode> pooling_modes();

// Null where there is none of that name.
const PoolingMode* find_pooling_mode(std::string_view name);
const PoolingMode* find_llama_pooling(uint64_t number);

// Of a name or its spelling in options. file: the model's, for the message. Throws Error{bad_argument} for a mode that
// does not exist.
Pooling find_pooling(const std::string& mode, const std::string& file);

}  // namespace quern
