// What schemas say by logic (not, if, dependentRequired, dependentSchemas), said by anyOf and allOf instead.
#pragma once
#include "schema_merge.h"

namespace quern {

// Keywords that only schemas made here have: values that it must not be, patterns that must be found in a string beside
// `pattern`, or must not be, and further numbers that it is a multiple of.
constexpr const char* excluded_keyword = "\1excluded";
constexpr const char* patterns_keyword = "\1patterns";
constexpr const char* not_patterns_keyword = "\1notPatterns";
constexpr const char* multiples_keyword = "\1multiples";

// The schema without these keywords of its own. Throws Error unsupported for a `not` (or what means one) of keywords
// that have no opposite, bad_argument for what is malformed.
Schema without_logic(const Schema& schema, const SchemaMerger& merger);

}  // namespace quern
