// Making nodes, within bounds. See grammar_rules.h.
#include "grammar_rules.h"

#include <algorithm>

#include "error.h"

namespace quern {
namespace {

constexpr uint16_t max_rule_depth = 1000;  // the automaton's builder recurses

uint32_t saturated(uint64_t n) {
  return static_cast<uint32_t>(std::min<uint64_t>(n, UINT32_MAX));
}

}  // namespace

void fail_grammar(const std::string& what) {
  throw Error(Status::bad_argument, "grammar: " + what);
}

GrammarRules::Node GrammarRules::add(RuleNode node) {
  if (nodes_.size() >= max_nodes) fail_grammar("has more than " + std::to_string(max_nodes) + " parts");
  uint64_t n_states = node.n_states;
  for (const Node part : node.nodes) {
    node.depth = std::max<uint16_t>(node.depth, nodes_[part].depth + 1);
    n_states += nodes_[part].n_states;
  }
  if (node.kind == RuleNode::Kind::repeat) n_states *= node.max == unlimited ? node.min + uint64_t{1} : node.max;
  if (node.depth > max_rule_depth) fail_grammar("is nested deeper than " + std::to_string(max_rule_depth) + " levels");
  node.n_states = saturated(n_states);
  nodes_.push_back(std::move(node));
  return static_cast<Node>(nodes_.size() - 1);
}

GrammarRules::Node GrammarRules::literal(std::string_view bytes) {
  if (bytes.size() > max_bytes) fail_grammar("has a literal longer than " + std::to_string(max_bytes) + " bytes");
  RuleNode node{RuleNode::Kind::literal};
  node.n_states = static_cast<uint32_t>(bytes.size());
  node.bytes = bytes;
  return add(std::move(node));
}

GrammarRules::Node GrammarRules::chars(CodeSet set) {
  RuleNode node{RuleNode::Kind::chars};
  node.n_states = 1;
  if (!set.empty() && set.ranges().back().last >= 0x80) node.n_states += 3 * static_cast<uint32_t>(set.ranges().size());
  node.set = std::move(set);
  return add(std::move(node));
}

GrammarRules::Node GrammarRules::sequence(std::vector<Node> nodes) {
  if (nodes.size() == 1) return nodes[0];
  RuleNode node{RuleNode::Kind::sequence};
  node.nodes = std::move(nodes);
  return add(std::move(node));
}

GrammarRules::Node GrammarRules::choice(std::vector<Node> nodes) {
  if (nodes.size() == 1) return nodes[0];
  RuleNode node{RuleNode::Kind::choice};
  node.n_states = 1;
  node.nodes = std::move(nodes);
  return add(std::move(node));
}

GrammarRules::Node GrammarRules::repeat(Node part, uint32_t min, uint32_t max) {
  const uint32_t most = max == unlimited ? min : max;
  if (min > max)
    fail_grammar("repeats at least " + std::to_string(min) + " and at most " + std::to_string(max) + " times");
  if (most > max_repeat) {
    fail_grammar("repeats " + std::to_string(most) + " times; at most " + std::to_string(max_repeat) +
                 " are supported");
  }
  RuleNode node{RuleNode::Kind::repeat};
  node.min = min;
  node.max = max;
  node.nodes = {part};
  return add(std::move(node));
}

GrammarRules::Node GrammarRules::reference(uint32_t rule) {
  RuleNode node{RuleNode::Kind::reference};
  node.rule = rule;
  node.n_states = 1;
  return add(std::move(node));
}

uint32_t GrammarRules::add_rule(std::string name) {
  if (names_.size() >= max_rules) fail_grammar("has more than " + std::to_string(max_rules) + " rules");
  names_.push_back(std::move(name));
  bodies_.push_back(undefined);
  return static_cast<uint32_t>(names_.size() - 1);
}

}  // namespace quern
