// What schemas ask of strings: regular expressions and named formats.
#pragma once
#include <string_view>

#include "json_rules.h"

namespace quern {

// The strings that a regular expression is found in, as JSON Schema's `pattern` means it: anywhere, unless ^ and $
// say otherwise. Understood: characters, ., [classes], \d \w \s \D \W \S, \t \n \r \f \xhh \uhhhh, \p{…}, ( ) (?: ), |,
// * + ? {m,n} and their lazy forms, and ^ $ at the ends of an alternative. where: for messages. Throws Error
// bad_argument for what is no regular expression, unsupported for what else there is.
GrammarRules::Node pattern_string(JsonRules& json, GrammarRules& rules, std::string_view pattern,
                                  const std::string& where);

// The pattern of a format: date, time, date-time, duration, uuid, ipv4, ipv6, hostname, email. Nothing for others. All
// that match are of the format, not all of the format match: no leap days or seconds, no :: in ipv6.
std::optional<std::string> format_pattern(std::string_view format);

}  // namespace quern
