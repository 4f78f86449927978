// The strings that a schema accepts: patterns, a format, lengths and exceptions that hold for one text together.
#pragma once
#include <compare>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "grammar_work.h"
#include "json_rules.h"

namespace quern {

struct TextLimits {
  std::vector<std::string> patterns, not_patterns;  // as JSON Schema's `pattern`
  std::vector<std::string> excluded;                // texts that it must not be
  std::string format;                               // known or not
  uint32_t min = 0, max = GrammarRules::unlimited;  // characters

  bool none() const { return *this == TextLimits(); }
  auto operator<=>(const TextLimits&) const = default;
};

class TextParts;  // what limits are made of, over one alphabet

// Strings with some limits, and in two ways with some patterns: which of these a string matches is asked for. What they
// are made of is read and made automata when it is first asked for, and once.
class TextStrings {
 public:
  // work: outlives it.
  TextStrings(TextLimits limits, std::vector<std::string> patterns, GrammarWork& work);
  ~TextStrings();

  // A node for a JSON string that the limits allow, and that matches those patterns whose bit in `matched` is set and
  // no others; nothing() where there is none. Throws Error bad_argument for patterns that are none, unsupported for
  // those that are not understood, and for what is too large together.
  GrammarRules::Node matching(uint32_t matched, JsonRules& json, GrammarRules& rules);

 private:
  const TextLimits limits_;
  const std::vector<std::string> patterns_, formats_;
  std::vector<std::unique_ptr<TextParts>> ways_;  // by format's pattern
  GrammarWork& work_;
};

// Whether limits allow texts. Their automaton is made when a text first needs it, and once.
class TextTest {
 public:
  TextTest(TextLimits limits, GrammarWork& work);  // work: outlives it
  ~TextTest();

  bool fits(std::string_view utf8);  // throws Error as TextStrings

 private:
  const TextLimits limits_;
  const std::vector<std::string> formats_;
  const std::unordered_set<std::string_view> excluded_;
  std::unique_ptr<TextParts> parts_;
  GrammarWork& work_;
};

}  // namespace quern
