// Operations on texts that filters and methods share. Origins are kept.
#pragma once
#include <vector>

#include "chat/evaluator.h"
#include "tokenizers/tokenizer.h"

namespace quern::chat {

enum class Align : uint8_t { left, right, center };

// Without white space, or the characters of `chars` unless it is absent or none, at the ends.
Text strip(Evaluator& e, const Text& text, const Value& chars, bool left, bool right);
// The first `count` (below 0: all) places of `old` replaced.
Text replace_all(Evaluator& e, const Text& text, const Text& old, const Text& with, int64_t count);
// Filled up to `width` characters; for Align::left behind the text.
Text pad(Evaluator& e, const Text& text, int64_t width, const Text& fill, Align align);
// str.splitlines.
std::vector<Span> split_lines(Evaluator& e, const Text& text, bool keep_ends);
// separator.join(items), each as str() has it.
Text join(Evaluator& e, const Text& separator, const std::vector<Value>& items);

}  // namespace quern::chat
