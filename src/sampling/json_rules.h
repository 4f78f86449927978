// The rules of JSON itself: what every schema is put together from.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grammar_rules.h"

namespace quern {

class JsonRules {
 public:
  using Node = GrammarRules::Node;
  explicit JsonRules(GrammarRules& rules) : rules_(rules) {}

  Node space();                                             // optional white space
  Node value();                                             // any
  Node object_of(Node member, uint32_t min, uint32_t max);  // so many members: key and value
  Node array_of(Node item, uint32_t min, uint32_t max);
  Node string(uint32_t min, uint32_t max);  // with so many characters
  Node string_of(Node inside);              // inside: of characters() and character()
  Node character();                         // any one character of a string, in any of its forms
  Node characters(const CodeSet& set);      // one of the set, in its shortest form
  Node key(std::string_view name);          // the name and the colon
  // Any key but these, at most 256 characters long each. Throws Error bad_argument.
  Node other_key(std::vector<std::string> names);
  Node number();
  Node boolean();
  Node any_key() { return other_key({}); }
  Node null() { return rules_.literal("null"); }
  Node nothing() { return rules_.chars({}); }
  Node comma() { return rules_.sequence({rules_.literal(","), space()}); }

 private:
  Node rule(std::optional<uint32_t>& rule, const char* name, Node (JsonRules::*body)());
  Node space_body();
  Node value_body();
  Node string_body();
  Node character_body();
  Node number_body();
  Node set(const char* chars);
  Node plain() { return rules_.chars(plain_set()); }
  static CodeSet plain_set();
  Node escape();
  Node unicode_escape();
  Node other_keys(const std::vector<std::u32string>& names, size_t begin, size_t end, size_t depth);

  GrammarRules& rules_;
  std::optional<uint32_t> space_, value_, string_, character_, number_;
};

}  // namespace quern
