// What schemas ask of strings: regular expressions and named formats.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "grammar_rules.h"
#include "grammar_work.h"

namespace quern {

// A node for the texts that a regular expression is found in, as JSON Schema's `pattern` means it: anywhere, unless ^
// and $ say otherwise; or, with `whole`, that it matches from end to end. Without references. Understood: characters,
// ., [classes], \d \w \s \D \W \S, \t \n \r \f \xhh \uhhhh, \p{…}, ( ) (?: ), |, * + ? {m,n} and their lazy forms, and
// ^ $ at the ends of an alternative. where: for messages. Throws Error bad_argument for what is no regular expression,
// unsupported for what else there is, and as GrammarWork::spend.
GrammarRules::Node read_pattern(GrammarRules& rules, std::string_view pattern, const std::string& where, bool whole,
                                GrammarWork& work);

// Patterns of a format that match as a whole, the best first; none for what is no format. All texts that match are of
// the format, not all texts of the format match.
std::vector<std::string> format_patterns(std::string_view format);

}  // namespace quern
