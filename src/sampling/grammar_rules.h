// A grammar as its readers (gbnf.cpp, json_schema.cpp) write it down: rules over texts, sets of characters and other
// rules. What it matches is grammar_automaton.h's business.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizers/code_set.h"

namespace quern {

struct RuleNode {
  enum class Kind : uint8_t { literal, chars, sequence, choice, repeat, reference };
  Kind kind;
  uint16_t depth = 1;                // of the tree below it
  uint32_t min = 0, max = 0;         // repeat
  uint32_t rule = 0;                 // reference
  uint32_t n_states = 0;             // about how many states it takes
  std::string bytes = {};            // literal; empty: the empty text
  CodeSet set = {};                  // chars
  std::vector<uint32_t> nodes = {};  // the parts of a sequence, choice or repeat
};

// Nodes refer to each other by number. Every function that makes one throws Error bad_argument "grammar: …" at the
// bounds.
class GrammarRules {
 public:
  using Node = uint32_t;
  static constexpr uint32_t unlimited = UINT32_MAX;
  static constexpr uint32_t max_repeat = 1'000'000'000, max_rules = 65536, max_nodes = 1 << 20;
  static constexpr size_t max_bytes = size_t{1} << 20;  // of a grammar's text

  Node literal(std::string_view bytes);  // UTF-8
  Node empty() { return literal(""); }
  Node chars(CodeSet set);  // one character of the set
  Node sequence(std::vector<Node> nodes);
  Node choice(std::vector<Node> nodes);  // at least one
  Node repeat(Node node, uint32_t min, uint32_t max);
  Node optional(Node node) { return repeat(node, 0, 1); }
  Node reference(uint32_t rule);

  // A rule is named before it is defined, so that rules can refer to each other. Names are for messages.
  uint32_t add_rule(std::string name);
  void define(uint32_t rule, Node body) { bodies_[rule] = body; }
  bool is_defined(uint32_t rule) const { return bodies_[rule] != undefined; }

  size_t n_rules() const { return names_.size(); }
  const std::string& name(uint32_t rule) const { return names_[rule]; }
  Node body(uint32_t rule) const { return bodies_[rule]; }
  const RuleNode& operator[](Node node) const { return nodes_[node]; }

 private:
  static constexpr Node undefined = UINT32_MAX;
  Node add(RuleNode node);
  std::vector<RuleNode> nodes_;
  std::vector<std::string> names_;
  std::vector<Node> bodies_;
};

// Throws Error bad_argument "grammar: what".
[[noreturn]] void fail_grammar(const std::string& what);

}  // namespace quern
