// See text_automaton.h. Regular expressions go the usual way: Thompson's automaton, subsets, partition refinement.
#include "text_automaton.h"

#include <algorithm>
#include <array>
#include <map>
#include <unordered_map>

#include "tokenizers/utf8.h"

namespace quern {
namespace {

using Node = GrammarRules::Node;

constexpr size_t max_steps = size_t{1} << 24;  // of one subset construction, in states looked at
constexpr uint64_t steps_of_state = 4;         // in a subset: it is sorted and looked up
constexpr uint64_t steps_of_pair = 8;          // at each letter: it is looked up
constexpr uint64_t steps_of_key = 16;          // of a state's letters together: it is hashed and kept
constexpr uint64_t steps_of_way = 64;          // out of a state that is written: it makes nodes
constexpr int max_refinements = 300;           // chains of more states stay as they are

class Thompson {
 public:
  struct State {
    std::vector<uint32_t> letters, free;
    uint32_t to = 0;
  };
  Thompson(const GrammarRules& rules, const TextAlphabet& alphabet) : rules_(rules), alphabet_(alphabet) {}

  // False if it is too large.
  bool build(Node node) {
    add();
    end_ = build(node, 0);
    return states_.size() < TextAutomaton::max_states;
  }
  const std::vector<State>& states() const { return states_; }
  uint32_t end() const { return end_; }

 private:
  bool full() const { return states_.size() >= TextAutomaton::max_states; }
  uint32_t add() {
    states_.emplace_back();
    return static_cast<uint32_t>(states_.size() - 1);
  }
  uint32_t step(uint32_t from, const std::vector<uint32_t>& letters) {
    alphabet_.spend(1 + letters.size());
    const uint32_t mid = add(), to = add();
    states_[from].free.push_back(mid);
    states_[mid].letters = letters;
    states_[mid].to = to;
    return to;
  }
  uint32_t build(Node id, uint32_t from) {
    const RuleNode& node = rules_[id];
    switch (node.kind) {
      case RuleNode::Kind::literal:
        for (const char32_t c : decode_utf8(node.bytes)) from = step(from, alphabet_.letters_in(CodeSet({{c, c}})));
        return from;
      case RuleNode::Kind::chars: {
        const auto [found, is_new] = letters_.try_emplace(id);
        if (is_new) found->second = alphabet_.letters_in(node.set);
        return step(from, found->second);
      }
      case RuleNode::Kind::sequence:
        for (const Node part : node.nodes) from = build(part, from);
        return from;
      case RuleNode::Kind::choice: {
        const uint32_t to = add();
        for (const Node part : node.nodes) states_[build(part, fresh(from))].free.push_back(to);
        return to;
      }
      case RuleNode::Kind::repeat:
        return repeat(node, from);
      case RuleNode::Kind::reference:
        break;
    }
    return from;
  }
  uint32_t repeat(const RuleNode& node, uint32_t from) {
    if (rules_[node.nodes[0]].n_states == 0) return from;
    for (uint32_t i = 0; i < node.min && !full(); ++i) from = build(node.nodes[0], from);
    if (node.max == node.min) return from;
    if (node.max == GrammarRules::unlimited) {
      const uint32_t loop = fresh(from), end = build(node.nodes[0], fresh(loop));
      states_[end].free.push_back(loop);
      return loop;
    }
    const uint32_t to = add();
    for (uint32_t i = node.min; i < node.max && !full(); ++i) {
      states_[from].free.push_back(to);
      from = build(node.nodes[0], fresh(from));
    }
    states_[from].free.push_back(to);
    return to;
  }
  uint32_t fresh(uint32_t from) {
    const uint32_t to = add();
    states_[from].free.push_back(to);
    return to;
  }

  const GrammarRules& rules_;
  const TextAlphabet& alphabet_;
  std::vector<State> states_;
  std::map<Node, std::vector<uint32_t>> letters_;
  uint32_t end_ = 0;
};

}  // namespace

std::optional<TextAutomaton> TextAutomaton::of(const GrammarRules& rules, Node node, const TextAlphabet& alphabet) {
  Thompson nfa(rules, alphabet);
  if (!nfa.build(node)) return std::nullopt;
  TextAutomaton out(alphabet);
  std::map<std::vector<uint32_t>, uint32_t> known;
  std::vector<std::vector<uint32_t>> subsets;
  std::vector<bool> in(nfa.states().size());
  size_t steps = 0;
  // The subset that is reached from some states without reading, or `dead`.
  const auto close = [&](std::vector<uint32_t> work) {
    std::vector<uint32_t> all;
    for (const uint32_t s : work) in[s] = true;
    while (!work.empty()) {
      const uint32_t s = work.back();
      work.pop_back();
      all.push_back(s);
      for (const uint32_t to : nfa.states()[s].free)
        if (!in[to]) in[to] = true, work.push_back(to);
    }
    for (const uint32_t s : all) in[s] = false;
    steps += all.size();
    alphabet.spend(steps_of_state * (1 + all.size()));
    std::erase_if(all, [&](uint32_t s) { return nfa.states()[s].letters.empty() && s != nfa.end(); });
    std::sort(all.begin(), all.end());
    if (all.empty()) return dead;
    const auto [found, is_new] = known.try_emplace(all, static_cast<uint32_t>(subsets.size()));
    if (is_new) {
      out.states_.push_back(
          {std::vector<uint32_t>(alphabet.size(), dead), std::binary_search(all.begin(), all.end(), nfa.end())});
      subsets.push_back(std::move(all));
    }
    return found->second;
  };
  close({0});
  std::vector<std::vector<uint32_t>> targets(alphabet.size());  // by letter
  for (uint32_t at = 0; at < subsets.size(); ++at) {
    if (subsets.size() > max_states || steps > max_steps) return std::nullopt;
    for (const uint32_t s : subsets[at]) {
      alphabet.spend(nfa.states()[s].letters.size());
      for (const uint32_t letter : nfa.states()[s].letters) targets[letter].push_back(nfa.states()[s].to);
    }
    alphabet.spend(alphabet.size());
    for (size_t letter = 0; letter < targets.size(); ++letter) {
      std::vector<uint32_t>& t = targets[letter];
      if (t.empty()) continue;
      std::sort(t.begin(), t.end());
      t.erase(std::unique(t.begin(), t.end()), t.end());
      const uint32_t to = close(t);
      t.clear();
      out.states_[at].next[letter] = to;
    }
  }
  out.tidy();
  return out;
}

std::optional<TextAutomaton> TextAutomaton::multiples(uint64_t divisor, uint32_t places, const TextAlphabet& alphabet) {
  // Phase 0: before the point; 1 + j: with j digits behind it; places + 2 is only zeros.
  if (divisor > 2 * max_states || divisor * (places + 2) > 2 * max_states) return std::nullopt;
  TextAutomaton out(alphabet);
  const auto state = [&](uint64_t phase, uint64_t rest) { return static_cast<uint32_t>(phase * divisor + rest); };
  const uint32_t minus = alphabet.letter_of('-'), point = alphabet.letter_of('.');
  std::array<uint32_t, 10> digits;
  for (uint32_t i = 0; i < 10; ++i) digits[i] = alphabet.letter_of('0' + i);
  alphabet.spend((places + 2) * divisor * alphabet.size());
  out.states_.resize((places + 2) * divisor);
  for (uint64_t phase = 0; phase < places + 2; ++phase) {
    for (uint64_t rest = 0; rest < divisor; ++rest) {
      State& s = out.states_[state(phase, rest)];
      s.next.assign(alphabet.size(), dead);
      uint64_t at_end = rest;
      for (uint64_t i = phase == 0 ? 0 : phase - 1; i < places; ++i) at_end = at_end * 10 % divisor;
      s.accepts = at_end == 0;
      if (phase == 0) s.next[minus] = state(0, rest), s.next[point] = state(1, rest);
      const bool last = phase == places + 1;
      for (uint32_t digit = 0; digit < (last ? 1 : 10); ++digit)
        s.next[digits[digit]] =
            last ? state(phase, rest) : state(phase == 0 ? 0 : phase + 1, (rest * 10 + digit) % divisor);
    }
  }
  out.tidy();
  if (out.states_.size() > max_states) return std::nullopt;
  return out;
}

bool TextAutomaton::matches(std::string_view utf8) const {
  alphabet_->spend(steps_of_pair * utf8.size());
  uint32_t at = states_.empty() ? dead : 0;
  for (const char32_t c : decode_utf8(utf8)) {
    if (at == dead) return false;
    at = states_[at].next[alphabet_->letter_of(c)];
  }
  return at != dead && states_[at].accepts;
}

std::optional<TextAutomaton> TextAutomaton::intersected(const TextAutomaton& other) const {
  TextAutomaton out(*alphabet_);
  if (empty() || other.empty()) return out;
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> known = {{{0, 0}, 0}};
  std::vector<std::pair<uint32_t, uint32_t>> pairs = {{0, 0}};
  for (size_t at = 0; at < pairs.size(); ++at) {
    if (pairs.size() > max_states) return std::nullopt;
    alphabet_->spend(steps_of_pair * alphabet_->size());
    const State &a = states_[pairs[at].first], &b = other.states_[pairs[at].second];
    State s{std::vector<uint32_t>(alphabet_->size(), dead), a.accepts && b.accepts};
    for (size_t letter = 0; letter < s.next.size(); ++letter) {
      if (a.next[letter] == dead || b.next[letter] == dead) continue;
      const std::pair to(a.next[letter], b.next[letter]);
      const auto [found, is_new] = known.try_emplace(to, static_cast<uint32_t>(pairs.size()));
      if (is_new) pairs.push_back(to);
      s.next[letter] = found->second;
    }
    out.states_.push_back(std::move(s));
  }
  out.tidy();
  return out;
}

TextAutomaton TextAutomaton::complement() const {
  alphabet_->spend(states_.size() * alphabet_->size());
  TextAutomaton out = *this;
  const uint32_t rest = static_cast<uint32_t>(states_.size());
  out.states_.push_back({std::vector<uint32_t>(alphabet_->size(), rest), false});
  for (State& s : out.states_) {
    s.accepts = !s.accepts;
    for (uint32_t& to : s.next)
      if (to == dead) to = rest;
  }
  out.tidy();
  return out;
}

void TextAutomaton::tidy() {
  remove_dead_ends();
  merge_equal();
}

void TextAutomaton::remove_dead_ends() {
  alphabet_->spend(2 * states_.size() * alphabet_->size());
  std::vector<std::vector<uint32_t>> before(states_.size());
  std::vector<bool> ends(states_.size());
  std::vector<uint32_t> work;
  for (uint32_t s = 0; s < states_.size(); ++s) {
    for (const uint32_t to : states_[s].next)
      if (to != dead && (before[to].empty() || before[to].back() != s)) before[to].push_back(s);
    if (states_[s].accepts) ends[s] = true, work.push_back(s);
  }
  while (!work.empty()) {
    const uint32_t s = work.back();
    work.pop_back();
    for (const uint32_t from : before[s])
      if (!ends[from]) ends[from] = true, work.push_back(from);
  }
  if (states_.empty() || !ends[0]) return states_.clear();
  for (State& s : states_)
    for (uint32_t& to : s.next)
      if (to != dead && !ends[to]) to = dead;
}

// Moore's algorithm; then what can be reached, in the order in which it is.
void TextAutomaton::merge_equal() {
  if (states_.empty()) return;
  std::vector<uint32_t> part(states_.size());
  for (size_t s = 0; s < states_.size(); ++s) part[s] = states_[s].accepts;
  size_t n_parts = 0;
  bool stable = false;
  for (int round = 0; round < max_refinements && !stable; ++round) {
    struct Hash {
      size_t operator()(const std::vector<uint32_t>& v) const {
        size_t h = v.size();
        for (const uint32_t x : v) h = (h ^ x) * 0x9E3779B97F4A7C15u, h ^= h >> 29;
        return h;
      }
    };
    alphabet_->spend(states_.size() * (alphabet_->size() + steps_of_key));
    std::unordered_map<std::vector<uint32_t>, uint32_t, Hash> parts;
    std::vector<uint32_t> now(states_.size()), key;
    for (size_t s = 0; s < states_.size(); ++s) {
      key = {part[s]};
      for (const uint32_t to : states_[s].next) key.push_back(to == dead ? dead : part[to]);
      now[s] = parts.try_emplace(key, static_cast<uint32_t>(parts.size())).first->second;
    }
    stable = parts.size() == n_parts;
    n_parts = parts.size();
    part.swap(now);
  }
  if (!stable)
    for (size_t s = 0; s < states_.size(); ++s) part[s] = static_cast<uint32_t>(s);
  std::unordered_map<uint32_t, uint32_t> number = {{part[0], 0}};
  std::vector<uint32_t> order = {0};
  std::vector<State> out;
  for (size_t at = 0; at < order.size(); ++at) {
    State s = states_[order[at]];
    for (uint32_t& to : s.next) {
      if (to == dead) continue;
      const auto [found, is_new] = number.try_emplace(part[to], static_cast<uint32_t>(order.size()));
      if (is_new) order.push_back(to);
      to = found->second;
    }
    out.push_back(std::move(s));
  }
  states_ = std::move(out);
}

std::optional<Node> TextAutomaton::write(GrammarRules& rules, uint32_t min, uint32_t max,
                                         const std::function<Node(const CodeSet&)>& character) const {
  if (empty() || min > max) return rules.chars({});
  alphabet_->spend(states_.size() * alphabet_->size());
  // Of each state, by target: the characters that lead there.
  std::vector<std::map<uint32_t, Node>> edges(states_.size());
  std::map<CodeSet, Node, LessByRanges> written;
  for (size_t s = 0; s < states_.size(); ++s) {
    std::map<uint32_t, std::vector<unicode::Range>> ranges;
    for (size_t letter = 0; letter < states_[s].next.size(); ++letter) {
      if (states_[s].next[letter] == dead) continue;
      const auto& more = (*alphabet_)[letter].ranges();
      alphabet_->spend(steps_of_pair + more.size());
      auto& r = ranges[states_[s].next[letter]];
      r.insert(r.end(), more.begin(), more.end());
    }
    for (auto& [to, r] : ranges) {
      const auto [found, is_new] = written.try_emplace(CodeSet(std::move(r)), 0);
      if (is_new) found->second = character(found->first);
      edges[s].emplace(to, found->second);
    }
  }
  // A rule for each state at each length so far, as far as lengths matter.
  const bool endless = max == GrammarRules::unlimited;
  // Nothing but more of the same: counted instead of spelt out.
  const auto counts = [&](uint32_t state) {
    return states_[state].accepts && edges[state].size() == 1 && edges[state].begin()->first == state;
  };
  using Place = std::pair<uint32_t, uint32_t>;
  const auto place = [&](uint32_t state, uint32_t length) {
    return Place(state, endless ? std::min(length, min) : length);
  };
  std::map<Place, uint32_t> rule_of = {{place(0, 0), 0}};
  std::vector<Place> places = {place(0, 0)};
  for (size_t at = 0; at < places.size(); ++at) {
    const auto [state, length] = places[at];
    if (places.size() > max_states) return std::nullopt;
    if (counts(state) || length >= max) continue;
    alphabet_->spend(steps_of_way * edges[state].size());
    for (const auto& [to, one] : edges[state])
      if (rule_of.try_emplace(place(to, length + 1), 0).second) places.push_back(place(to, length + 1));
  }
  for (auto& [where, rule] : rule_of) rule = rules.add_rule("a text");
  for (const auto& [state, length] : places) {
    std::vector<Node> ways;
    if (counts(state)) {
      ways.push_back(
          rules.repeat(edges[state].begin()->second, length >= min ? 0 : min - length, endless ? max : max - length));
    } else {
      if (states_[state].accepts && length >= min) ways.push_back(rules.empty());
      for (const auto& [to, one] : edges[state])
        if (length < max) ways.push_back(rules.sequence({one, rules.reference(rule_of.at(place(to, length + 1)))}));
    }
    rules.define(rule_of.at({state, length}), ways.empty() ? rules.chars({}) : rules.choice(std::move(ways)));
  }
  return rules.reference(rule_of.at(place(0, 0)));
}

}  // namespace quern
