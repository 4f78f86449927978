// GBNF's text to rules. See grammar.h for what is understood.
#pragma once
#include <string_view>

#include "grammar_rules.h"

namespace quern {

// Returns the number of the rule `root`. Throws Error bad_argument or unsupported that names the line.
uint32_t read_gbnf(std::string_view text, GrammarRules& rules);

}  // namespace quern
