// Poolings by the names that sentence-transformers' settings have. A new mode is its line in pooling.cpp, and what it
// computes in ggml-like (Pooling in ops.h).
#pragma once
#include <string>
#include <vector>

#include "ops.h"

namespace quern {

// name: the model's file, for the message. Throws Error{bad_argument} for a mode that does not exist.
Pooling find_pooling(const std::string& mode, const std::string& name);

// The names of all modes, in the order in which several are concatenated.
std::vector<std::string> pooling_modes();

}  // namespace quern
