// See grammar_analysis.h.
#include "grammar_analysis.h"

#include <algorithm>
#include <unordered_map>

#include "io/json.h"

namespace quern {
namespace {

using Automaton = GrammarAutomaton;

// Whether a call may be left out.
bool may_skip(const Automaton& automaton, const Automaton::Call& call) {
  return call.counter != Automaton::once && automaton.counters[call.counter].min == 0;
}

// For each state whether its rule's end can be reached from it: at all, or without reading a byte.
std::vector<bool> reach_end(const Automaton& automaton, bool reading) {
  struct Before {
    uint32_t from;
    uint32_t needs;  // a state that has to reach its end too
  };
  const size_t n = automaton.states.size();
  std::vector<std::vector<Before>> before(n);
  for (uint32_t from = 0; from < n; ++from) {
    const Automaton::State& state = automaton.states[from];
    if (reading)
      for (const Automaton::ByteEdge& edge : state.bytes) before[edge.to].push_back({from, edge.to});
    for (const uint32_t to : state.free) before[to].push_back({from, to});
    for (const Automaton::Call& call : state.calls) {
      const bool skipped = may_skip(automaton, call);
      before[call.return_to].push_back({from, skipped ? call.return_to : call.start});
      if (!skipped) before[call.start].push_back({from, call.return_to});
    }
  }
  std::vector<bool> reaches(n);
  std::vector<uint32_t> work;
  const auto reach = [&](uint32_t state) {
    if (reaches[state]) return;
    reaches[state] = true;
    work.push_back(state);
  };
  for (uint32_t state = 0; state < n; ++state)
    if (automaton.states[state].final) reach(state);
  while (!work.empty()) {
    const uint32_t state = work.back();
    work.pop_back();
    for (const Before& b : before[state])
      if (reaches[b.needs]) reach(b.from);
  }
  return reaches;
}

// The starts of the rules that may be called before a rule has read anything.
std::vector<uint32_t> first_calls(const Automaton& automaton, const std::vector<bool>& nullable, uint32_t start) {
  std::vector<uint32_t> calls, work = {start};
  std::unordered_map<uint32_t, bool> seen = {{start, true}};
  const auto visit = [&](uint32_t state) {
    if (seen.try_emplace(state, true).second) work.push_back(state);
  };
  while (!work.empty()) {
    const Automaton::State& state = automaton.states[work.back()];
    work.pop_back();
    for (const uint32_t to : state.free) visit(to);
    for (const Automaton::Call& call : state.calls) {
      calls.push_back(call.start);
      if (nullable[call.start] || may_skip(automaton, call)) visit(call.return_to);
    }
  }
  std::sort(calls.begin(), calls.end());
  calls.erase(std::unique(calls.begin(), calls.end()), calls.end());
  return calls;
}

}  // namespace

void remove_dead_ends(Automaton& automaton) {
  const std::vector<bool> alive = reach_end(automaton, true);
  if (!alive[automaton.start]) fail_grammar("the root rule matches no text that ends");
  for (Automaton::State& state : automaton.states) {
    std::erase_if(state.bytes, [&](const Automaton::ByteEdge& edge) { return !alive[edge.to]; });
    std::erase_if(state.free, [&](uint32_t to) { return !alive[to]; });
    std::erase_if(state.calls, [&](const Automaton::Call& c) {
      return (!alive[c.start] && !may_skip(automaton, c)) || !alive[c.return_to];
    });
  }
}

void refuse_left_recursion(const Automaton& automaton, const std::vector<uint32_t>& starts,
                           const std::vector<std::string>& names) {
  const std::vector<bool> nullable = reach_end(automaton, false);
  std::unordered_map<uint32_t, size_t> rule_of;
  for (size_t rule = 0; rule < starts.size(); ++rule) rule_of[starts[rule]] = rule;
  enum : uint8_t { unseen, open, done };
  std::vector<uint8_t> seen(starts.size(), unseen);
  struct Visit {
    size_t rule;
    std::vector<uint32_t> calls;
    size_t next;
  };
  std::vector<Visit> path;
  const auto enter = [&](size_t rule) {
    seen[rule] = open;
    path.push_back({rule, first_calls(automaton, nullable, starts[rule]), 0});
  };
  for (size_t rule = 0; rule < starts.size(); ++rule) {
    if (seen[rule] == unseen) enter(rule);
    while (!path.empty()) {
      Visit& visit = path.back();
      if (visit.next == visit.calls.size()) {
        seen[visit.rule] = done;
        path.pop_back();
        continue;
      }
      const size_t called = rule_of[visit.calls[visit.next++]];
      if (seen[called] == open) {
        fail_grammar("the rule \"" + printable(names[called]) +
                     "\" is left-recursive: it begins with itself before anything is read");
      }
      if (seen[called] == unseen) enter(called);
    }
  }
}

void mark_tail_calls(Automaton& automaton) {
  // Whether nothing but the rule's end comes after a state: found by following its only free edge.
  const auto only_ends = [&](uint32_t at) {
    for (int steps = 0; steps < 64; ++steps) {
      const Automaton::State& state = automaton.states[at];
      if (!state.bytes.empty() || !state.calls.empty()) return false;
      if (state.free.empty()) return state.final;
      if (state.final || state.free.size() > 1) return false;
      at = state.free[0];
    }
    return false;
  };
  for (Automaton::State& state : automaton.states)
    for (Automaton::Call& call : state.calls)
      if (call.counter == Automaton::once && only_ends(call.return_to)) call.return_to = Automaton::tail;
}

void make_byte_classes(Automaton& automaton) {
  bool begins[257] = {true};
  for (const Automaton::State& state : automaton.states) {
    for (const Automaton::ByteEdge& edge : state.bytes) begins[edge.first] = begins[edge.last + 1] = true;
  }
  for (size_t byte = 0; byte < 256; ++byte) {
    if (begins[byte]) automaton.class_byte.push_back(static_cast<uint8_t>(byte));
    automaton.byte_class[byte] = static_cast<uint8_t>(automaton.class_byte.size() - 1);
  }
}

}  // namespace quern
