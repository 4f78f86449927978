// Patterns: what Split, Replace and their kin look for in a text. A string is searched for as it stands; well-known
// regular expressions are scanners of their own; PCRE2, where quern is built with it, takes all others.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "json_field.h"
#include "text.h"

namespace quern {

class Pattern {
 public:
  virtual ~Pattern() = default;
  // Appends the matches within a word, which is all that the pattern sees: ranges of indices into text, in order,
  // without overlap; they may be empty. Throws Error bad_argument if a match takes too many steps.
  virtual void find(const Char* text, Span word, std::vector<Span>& matches) const = 0;
};

using PatternPtr = std::unique_ptr<const Pattern>;

// From {"String": …} or {"Regex": …}. Throws Error.
PatternPtr make_pattern(const JsonField& field);

// GPT-2's words, which ByteLevel splits by.
PatternPtr make_gpt2_pattern();

// Null if there is no scanner for a regular expression.
PatternPtr make_known_pattern(std::string_view regex);

// Throws Error unsupported in a build without PCRE2.
PatternPtr make_regex_pattern(const std::string& regex, const JsonField& field);

}  // namespace quern
