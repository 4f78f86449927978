// peft's patterns of module names: keys of rank_pattern and alpha_pattern.
#pragma once
#include <string>
#include <string_view>

namespace quern {

// Whether a module's name is the key, or ends in it behind a dot: re.match(r"(.*\.)?(key)$", name). Keys of letters,
// digits, dots, dashes and underscores, which nearly all are, need no regular expression. where: file and field, for
// messages. Throws Error{bad_file} for a key that is no regular expression or takes too many steps, {unsupported} for a
// real one in a build without PCRE2.
bool matches_module(std::string_view name, const std::string& key, const std::string& where);

}  // namespace quern
