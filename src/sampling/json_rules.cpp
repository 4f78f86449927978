// See json_rules.h. The grammar is RFC 8259's.
#include "json_rules.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "tokenizers/utf8.h"

namespace quern {
namespace {

constexpr uint32_t max_indent = 20, max_whole_digits = 18, max_fraction_digits = 15, max_exponent_digits = 2;
constexpr size_t max_key = 256;

// Characters with an escape of their own.
constexpr struct {
  char32_t code;
  const char* text;
} escapes[] = {{'"', "\\\""}, {'\\', "\\\\"}, {'\b', "\\b"}, {'\f', "\\f"},
               {'\n', "\\n"}, {'\r', "\\r"},  {'\t', "\\t"}};

}  // namespace

// A rule that is defined when it is first used, and may use itself.
JsonRules::Node JsonRules::rule(std::optional<uint32_t>& rule, const char* name, Node (JsonRules::*body)()) {
  if (!rule) {
    rule = rules_.add_rule(name);
    rules_.define(*rule, (this->*body)());
  }
  return rules_.reference(*rule);
}

JsonRules::Node JsonRules::space() {
  return rule(space_, "white space", &JsonRules::space_body);
}
JsonRules::Node JsonRules::value() {
  return rule(value_, "any value", &JsonRules::value_body);
}
JsonRules::Node JsonRules::character() {
  return rule(character_, "character", &JsonRules::character_body);
}
JsonRules::Node JsonRules::number() {
  return rule(number_, "number", &JsonRules::number_body);
}

JsonRules::Node JsonRules::set(const char* chars) {
  std::vector<unicode::Range> ranges;
  for (const char* c = chars; *c != '\0'; c += c[1] == '-' ? 3 : 1) {
    ranges.push_back({static_cast<char32_t>(*c), static_cast<char32_t>(c[1] == '-' ? c[2] : *c)});
  }
  return rules_.chars(CodeSet(std::move(ranges)));
}

JsonRules::Node JsonRules::space_body() {
  const Node indent = rules_.repeat(rules_.chars(CodeSet({{' ', ' '}, {'\t', '\t'}})), 0, max_indent);
  return rules_.choice({rules_.empty(), rules_.literal(" "), rules_.sequence({rules_.literal("\n"), indent})});
}

JsonRules::Node JsonRules::value_body() {
  const Node any = rules_.reference(*value_);
  return rules_.choice({object_of(rules_.sequence({any_key(), any}), 0, GrammarRules::unlimited),
                        array_of(any, 0, GrammarRules::unlimited), string(0, GrammarRules::unlimited), number(),
                        boolean(), null()});
}

JsonRules::Node JsonRules::boolean() {
  return rules_.choice({rules_.literal("true"), rules_.literal("false")});
}

JsonRules::Node JsonRules::array_of(Node item, uint32_t min, uint32_t max) {
  const Node open = rules_.sequence({rules_.literal("["), space()});
  const Node close = rules_.sequence({space(), rules_.literal("]")});
  if (max == 0) return rules_.sequence({open, rules_.literal("]")});
  const uint32_t more = max == GrammarRules::unlimited ? max : max - 1;
  const Node rest = rules_.repeat(rules_.sequence({comma(), item}), min > 0 ? min - 1 : 0, more);
  const Node items = rules_.sequence({item, rest, close});
  return rules_.sequence({open, min > 0 ? items : rules_.choice({items, rules_.literal("]")})});
}

JsonRules::Node JsonRules::object_of(Node member, uint32_t min, uint32_t max) {
  const Node open = rules_.sequence({rules_.literal("{"), space()});
  const Node close = rules_.sequence({space(), rules_.literal("}")});
  if (max == 0) return rules_.sequence({open, rules_.literal("}")});
  const uint32_t more = max == GrammarRules::unlimited ? max : max - 1;
  const Node rest = rules_.repeat(rules_.sequence({comma(), member}), min > 0 ? min - 1 : 0, more);
  const Node members = rules_.sequence({member, rest, close});
  return rules_.sequence({open, min > 0 ? members : rules_.choice({members, rules_.literal("}")})});
}

CodeSet JsonRules::plain_set() {
  return CodeSet({{' ', '!'}, {'#', '['}, {']', '~'}, {0x80, CodeSet::last_code}});
}

// \u with any character: one that is no surrogate, or a pair of them.
JsonRules::Node JsonRules::unicode_escape() {
  const Node hex = set("0-9a-fA-F"), d = set("dD"), u = rules_.literal("\\u");
  const Node usual = rules_.sequence({u, set("0-9a-ce-fA-CE-F"), rules_.repeat(hex, 3, 3)});
  const Node below = rules_.sequence({u, d, set("0-7"), rules_.repeat(hex, 2, 2)});
  const Node pair = rules_.sequence({u, d, set("89abAB"), hex, hex, u, d, set("c-fC-F"), hex, hex});
  return rules_.choice({usual, below, pair});
}

JsonRules::Node JsonRules::escape() {
  return rules_.choice({rules_.sequence({rules_.literal("\\"), set("\"\\/bfnrt")}), unicode_escape()});
}

JsonRules::Node JsonRules::character_body() {
  return rules_.choice({plain(), escape()});
}

JsonRules::Node JsonRules::string_body() {
  // Spelt out, not character(): the state inside must be the same after each character.
  return string_of(rules_.repeat(rules_.choice({plain(), escape()}), 0, GrammarRules::unlimited));
}

JsonRules::Node JsonRules::string(uint32_t min, uint32_t max) {
  if (min == 0 && max == GrammarRules::unlimited) return rule(string_, "string", &JsonRules::string_body);
  return string_of(rules_.repeat(character(), min, max));
}

JsonRules::Node JsonRules::string_of(Node inside) {
  return rules_.sequence({rules_.literal("\""), inside, rules_.literal("\"")});
}

JsonRules::Node JsonRules::characters(const CodeSet& set) {
  if ((~set).empty()) return character();
  std::vector<Node> forms = {rules_.chars(set & plain_set())};
  for (const auto& e : escapes)
    if (set.contains(e.code)) forms.push_back(rules_.literal(e.text));
  return rules_.choice(std::move(forms));
}

JsonRules::Node JsonRules::key(std::string_view name) {
  return rules_.sequence({rules_.literal(nlohmann::json(name).dump() + ":"), space()});
}

// What may follow the first `depth` characters, which names [begin, end) share: a character that none of them goes on
// with, and then anything; or one that some go on with; or the end, if none ends here.
JsonRules::Node JsonRules::other_keys(const std::vector<std::u32string>& names, size_t begin, size_t end,
                                      size_t depth) {
  const Node quote = rules_.literal("\"");
  std::vector<Node> ways;
  size_t i = begin;
  if (names[i].size() == depth) {
    ++i;
  } else {
    ways.push_back(quote);
  }
  std::vector<unicode::Range> going_on;
  while (i < end) {
    const char32_t c = names[i][depth];
    const size_t first = i;
    while (i < end && names[i][depth] == c) ++i;
    going_on.push_back({c, c});
    ways.push_back(rules_.sequence({characters(CodeSet({{c, c}})), other_keys(names, first, i, depth + 1)}));
  }
  const Node rest = rules_.repeat(character(), 0, GrammarRules::unlimited);
  ways.push_back(rules_.sequence({characters(~CodeSet(std::move(going_on))), rest, quote}));
  return rules_.choice(std::move(ways));
}

JsonRules::Node JsonRules::other_key(std::vector<std::string> names) {
  std::vector<std::u32string> texts;
  for (const std::string& name : names) {
    texts.push_back(decode_utf8(name));
    if (texts.back().size() > max_key)
      fail_grammar("a key beside additionalProperties is longer than " + std::to_string(max_key) + " characters");
  }
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  const Node name = texts.empty() ? string(0, GrammarRules::unlimited)
                                  : rules_.sequence({rules_.literal("\""), other_keys(texts, 0, texts.size(), 0)});
  return rules_.sequence({name, rules_.literal(":"), space()});
}

JsonRules::Node JsonRules::number_body() {
  const Node digit = set("0-9");
  const Node whole = rules_.choice(
      {rules_.literal("0"), rules_.sequence({set("1-9"), rules_.repeat(digit, 0, max_whole_digits - 1)})});
  const Node fraction = rules_.sequence({rules_.literal("."), rules_.repeat(digit, 1, max_fraction_digits)});
  const Node exponent = rules_.sequence({set("eE"), rules_.optional(rules_.chars(CodeSet({{'+', '+'}, {'-', '-'}}))),
                                         rules_.repeat(digit, 1, max_exponent_digits)});
  return rules_.sequence(
      {rules_.optional(rules_.literal("-")), whole, rules_.optional(fraction), rules_.optional(exponent)});
}

}  // namespace quern
