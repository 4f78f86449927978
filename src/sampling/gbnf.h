// GBNF's text to rules. See grammar.h for what is understood.
#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "grammar_rules.h"

namespace quern {

// The bytes that a token adds to the text a grammar is matched against, by its number ("[1000]") or its text; "" if
// there is no such token. For special tokens see special_mark.
using TokenOf = std::function<std::string(std::string_view token)>;

// What stands for a special token in the text that a grammar is matched against: bytes that no character has, so that
// special tokens match nothing but themselves.
std::string special_mark(int32_t id);

// Returns the number of the rule `root`. Throws Error bad_argument or unsupported that names the line. token: may be
// empty, and <…> is then unsupported.
uint32_t read_gbnf(std::string_view text, const TokenOf& token, GrammarRules& rules);

}  // namespace quern
