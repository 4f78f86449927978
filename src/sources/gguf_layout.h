// Of quern's own tensors and keys in a model file: what the converter writes and the loader reads.
#pragma once
#include <cstdint>

namespace quern {

// 1: tokenizer.json as it was; 2: its vocabulary in tables.
constexpr uint32_t kLayoutVersion = 2;
constexpr const char* kTablePrefix = "quern.tokenizer.";

}  // namespace quern
