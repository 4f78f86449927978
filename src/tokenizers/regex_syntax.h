// Regular expressions in the reference's syntax (Oniguruma's) rewritten in PCRE2's, with every class of characters
// spelt out from quern's own tables. One difference stays: without regard to case, Oniguruma also takes one character
// for several (ß for ss).
#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "code_set.h"
#include "json_field.h"

namespace quern {

// What stands for a set between [ and ]; the engine may know large parts of it by name.
using WriteSet = std::function<std::string(const CodeSet& set)>;

// Throws Error unsupported, naming field, for what PCRE2 would read in another way or not at all.
std::string to_pcre2(std::string_view regex, const WriteSet& write_set, const JsonField& field);

// [ ]'s contents, range by range.
std::string write_ranges(const CodeSet& set);

}  // namespace quern
