// A grammar over bytes, ready to be matched: one nondeterministic automaton per rule, whose edges read a byte or call
// another rule, once or a counted number of times. Characters are their UTF-8 bytes here, so that a text may stop
// anywhere in one.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "grammar_rules.h"

namespace quern {

struct GrammarAutomaton {
  struct ByteEdge {
    uint8_t first, last;
    uint32_t to;
  };
  struct Call {
    uint32_t start;      // of the rule that is called
    uint32_t return_to;  // `tail`: nothing follows the call, and the caller's own return does
    uint32_t counter = once;
  };
  static constexpr uint32_t tail = UINT32_MAX, once = UINT32_MAX;
  // A rule that matches no empty text, called min to max times, whatever these are: its copies take no states.
  struct Counter {
    uint32_t start, return_to, min, max;  // max: may be GrammarRules::unlimited
  };
  struct State {
    std::vector<ByteEdge> bytes;
    std::vector<uint32_t> free;  // reached without reading anything
    std::vector<Call> calls;
    bool final = false;  // the rule may end here
  };
  static constexpr size_t max_states = size_t{1} << 18, max_edges = size_t{1} << 20;

  std::vector<State> states;
  std::vector<Counter> counters;
  uint32_t start = 0;                   // of the root rule
  std::array<uint8_t, 256> byte_class;  // bytes of one class are on the same edges everywhere
  std::vector<uint8_t> class_byte;      // one byte of each class

  // Only states from which their rule can be finished stay reachable, so that every text that has been matched so far
  // can be completed. Throws Error bad_argument "grammar: …": too large, left recursion, a root that matches nothing.
  static GrammarAutomaton build(const GrammarRules& rules, uint32_t root);
};

}  // namespace quern
