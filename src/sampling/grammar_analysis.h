// What is found out about an automaton before it is used. For grammar_automaton.cpp. All take time in proportion to it.
#pragma once
#include <string>
#include <vector>

#include "grammar_automaton.h"

namespace quern {

// Drops the edges to states from which their rule cannot end. Throws Error bad_argument if the root cannot.
void remove_dead_ends(GrammarAutomaton& automaton);

// Throws Error bad_argument that names a rule which calls itself before anything has been read: it would be called
// without end. starts, names: of all rules.
void refuse_left_recursion(const GrammarAutomaton& automaton, const std::vector<uint32_t>& starts,
                           const std::vector<std::string>& names);

// Calls that a rule ends with return to the caller's caller, so that right recursion does not deepen the stack.
void mark_tail_calls(GrammarAutomaton& automaton);

void make_byte_classes(GrammarAutomaton& automaton);

}  // namespace quern
