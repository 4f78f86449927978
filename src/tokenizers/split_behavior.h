// What becomes of the matches that a word is cut at.
#pragma once
#include <vector>

#include "json_field.h"
#include "text.h"

namespace quern {

enum class Behavior { removed, isolated, contiguous, merged_with_previous, merged_with_next };

// From field's "behavior". Throws Error.
Behavior behavior_of(const JsonField& field, const char* absent = nullptr);

// Appends the parts, none of them empty, that matches (in order, within word) cut a word into. invert: what lies
// between the matches takes their part, and they its.
void append_parts(Span word, const std::vector<Span>& matches, bool invert, Behavior behavior, std::vector<Span>& out);

}  // namespace quern
