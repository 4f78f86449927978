// Rules to states and edges. What is done to the whole automaton after that is in grammar_analysis.cpp.
#include "grammar_automaton.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>

#include "grammar_analysis.h"
#include "utf8_ranges.h"

namespace quern {
namespace {

using State = GrammarAutomaton::State;

// Copies of a repeated part with more states than this in all become counted calls of a rule, or, where the part may be
// empty, calls of a rule.
constexpr uint64_t max_copied_states = 512;
constexpr int max_rule_calls = 50;  // rules inside each other that may_be_empty() looks into

class Builder {
 public:
  Builder(const GrammarRules& rules, GrammarAutomaton& out) : rules_(rules), out_(out) {
    for (uint32_t rule = 0; rule < rules.n_rules(); ++rule) starts_.push_back(add_state());
    for (uint32_t rule = 0; rule < rules.n_rules(); ++rule) names_.push_back(rules.name(rule));
    for (uint32_t rule = 0; rule < rules.n_rules(); ++rule) finish(build(rules.body(rule), starts_[rule]));
    while (!repeated_.empty()) {  // the parts that became rules, which may add more of them
      const auto [node, start] = repeated_.back();
      repeated_.pop_back();
      finish(build(node, start));
    }
  }
  std::vector<uint32_t> starts() const { return starts_; }
  std::vector<std::string> names() const { return names_; }

 private:
  uint32_t add_state() {
    if (out_.states.size() >= GrammarAutomaton::max_states) {
      fail_grammar("needs more than " + std::to_string(GrammarAutomaton::max_states) + " states");
    }
    out_.states.emplace_back();
    return static_cast<uint32_t>(out_.states.size() - 1);
  }
  void count_edge() {
    if (++n_edges_ > GrammarAutomaton::max_edges) {
      fail_grammar("needs more than " + std::to_string(GrammarAutomaton::max_edges) + " edges");
    }
  }
  void edge(uint32_t from, uint8_t first, uint8_t last, uint32_t to) {
    count_edge();
    out_.states[from].bytes.push_back({first, last, to});
  }
  void free_edge(uint32_t from, uint32_t to) {
    count_edge();
    out_.states[from].free.push_back(to);
  }
  void finish(uint32_t state) { out_.states[state].final = true; }

  // Adds what node matches behind `from` and returns the state after it. Edges into `from` are never added, so that
  // what was built before it is not changed.
  uint32_t build(GrammarRules::Node id, uint32_t from) {
    const RuleNode& node = rules_[id];
    using Kind = RuleNode::Kind;
    using Build = uint32_t (Builder::*)(const RuleNode&, uint32_t);
    static constexpr std::pair<Kind, Build> builders[] = {
        {Kind::literal, &Builder::literal}, {Kind::chars, &Builder::chars},   {Kind::sequence, &Builder::sequence},
        {Kind::choice, &Builder::choice},   {Kind::repeat, &Builder::repeat}, {Kind::reference, &Builder::reference},
    };
    return (this->*builders[static_cast<size_t>(node.kind)].second)(node, from);
  }

  uint32_t literal(const RuleNode& node, uint32_t from) {
    for (const char c : node.bytes) {
      const uint32_t to = add_state();
      edge(from, static_cast<uint8_t>(c), static_cast<uint8_t>(c), to);
      from = to;
    }
    return from;
  }

  uint32_t chars(const RuleNode& node, uint32_t from) {
    const uint32_t to = add_state();
    std::map<std::tuple<uint32_t, uint8_t, uint8_t>, uint32_t> shared;  // states before the same rest of a sequence
    for (const unicode::Range& range : node.set.ranges()) {
      utf8_ranges(range.first, range.last, [&](const Utf8Range& r) {
        uint32_t next = to;
        for (int i = r.n - 1; i > 0; --i) {
          const auto [found, is_new] = shared.try_emplace({next, r.first[i], r.last[i]}, 0);
          if (is_new) {
            found->second = add_state();
            edge(found->second, r.first[i], r.last[i], next);
          }
          next = found->second;
        }
        edge(from, r.first[0], r.last[0], next);
      });
    }
    return to;
  }

  uint32_t sequence(const RuleNode& node, uint32_t from) {
    for (const GrammarRules::Node part : node.nodes) from = build(part, from);
    return from;
  }

  // Literals share the states of what they begin with: a list of thousands of words is then read in one way.
  uint32_t choice(const RuleNode& node, uint32_t from) {
    const uint32_t to = add_state();
    std::map<std::pair<uint32_t, char>, uint32_t> shared;
    for (const GrammarRules::Node part : node.nodes) {
      if (rules_[part].kind != RuleNode::Kind::literal) {
        free_edge(build(part, from), to);
        continue;
      }
      uint32_t at = from;
      for (const char c : rules_[part].bytes) {
        const auto [found, is_new] = shared.try_emplace({at, c}, 0);
        if (is_new) {
          found->second = add_state();
          edge(at, static_cast<uint8_t>(c), static_cast<uint8_t>(c), found->second);
        }
        at = found->second;
      }
      free_edge(at, to);
    }
    return to;
  }

  uint32_t repeat(const RuleNode& node, uint32_t from) {
    const bool endless = node.max == GrammarRules::unlimited;
    const uint64_t copies = endless ? std::max(node.min, 1u) : node.max;
    const GrammarRules::Node part = node.nodes[0];
    if (rules_[part].n_states == 0) return build(part, from);  // the empty text, however often
    const bool as_rule = copies > 1 && copies * rules_[part].n_states > max_copied_states;
    if (as_rule && !may_be_empty(part)) return counted(node, from);
    const auto copy = [&](uint32_t state) { return as_rule ? call(rule_of(part), state) : build(part, state); };
    const uint32_t plain_copies = endless && node.min > 0 ? node.min - 1 : node.min;
    for (uint32_t i = 0; i < plain_copies; ++i) from = copy(from);
    if (endless) {  // the last copy in a loop; one that must be there ends behind it
      const uint32_t loop = add_state();
      free_edge(from, loop);
      const uint32_t end = copy(loop);
      free_edge(end, loop);
      return node.min > 0 ? end_after(end) : end_after(loop);
    }
    if (node.max == node.min) return from;
    const uint32_t to = add_state();
    for (uint32_t i = node.min; i < node.max; ++i) {
      free_edge(from, to);
      from = copy(from);
    }
    free_edge(from, to);
    return to;
  }
  uint32_t counted(const RuleNode& node, uint32_t from) {
    const uint32_t start = rule_of(node.nodes[0]), to = add_state();
    count_edge();
    out_.states[from].calls.push_back({start, to, static_cast<uint32_t>(out_.counters.size())});
    out_.counters.push_back({start, to, node.min, node.max});
    return to;
  }
  // Whether a node matches the empty text, as far as its own parts and the rules they name say; true for rules inside
  // themselves.
  bool may_be_empty(GrammarRules::Node id) {
    const RuleNode& node = rules_[id];
    using Kind = RuleNode::Kind;
    const auto part_may = [this](GrammarRules::Node part) { return may_be_empty(part); };
    if (node.kind == Kind::literal) return node.bytes.empty();
    if (node.kind == Kind::chars) return false;
    if (node.kind == Kind::sequence) return std::all_of(node.nodes.begin(), node.nodes.end(), part_may);
    if (node.kind == Kind::choice) return std::any_of(node.nodes.begin(), node.nodes.end(), part_may);
    if (node.kind == Kind::repeat) return node.min == 0 || part_may(node.nodes[0]);
    const auto [found, is_new] = empty_rules_.try_emplace(node.rule, true);
    if (is_new && rule_depth_ < max_rule_calls) {
      ++rule_depth_;
      const bool empty = part_may(rules_.body(node.rule));
      --rule_depth_;
      empty_rules_[node.rule] = empty;
      return empty;
    }
    return found->second;
  }
  uint32_t end_after(uint32_t state) {
    const uint32_t end = add_state();
    free_edge(state, end);
    return end;
  }

  uint32_t reference(const RuleNode& node, uint32_t from) { return call(starts_[node.rule], from); }
  uint32_t call(uint32_t start, uint32_t from) {
    const uint32_t to = add_state();
    count_edge();
    out_.states[from].calls.push_back({start, to});
    return to;
  }
  uint32_t rule_of(GrammarRules::Node node) {
    const auto [found, is_new] = node_starts_.try_emplace(node, 0);
    if (is_new) {
      found->second = add_state();
      repeated_.emplace_back(node, found->second);
      starts_.push_back(found->second);
      names_.push_back("a repeated part");
    }
    return found->second;
  }

  const GrammarRules& rules_;
  GrammarAutomaton& out_;
  std::vector<uint32_t> starts_;
  std::vector<std::string> names_;
  std::unordered_map<GrammarRules::Node, uint32_t> node_starts_;
  std::vector<std::pair<GrammarRules::Node, uint32_t>> repeated_;
  std::unordered_map<uint32_t, bool> empty_rules_;  // of may_be_empty()
  int rule_depth_ = 0;
  size_t n_edges_ = 0;
};

}  // namespace

GrammarAutomaton GrammarAutomaton::build(const GrammarRules& rules, uint32_t root) {
  GrammarAutomaton out;
  const Builder builder(rules, out);
  out.start = builder.starts()[root];
  remove_dead_ends(out);
  refuse_left_recursion(out, builder.starts(), builder.names());
  mark_tail_calls(out);
  make_byte_classes(out);
  return out;
}

}  // namespace quern
