// Deterministic automata over characters: what holds several regular expressions, lengths, exceptions and multiples
// against one text. Everything here is bounded: what would be larger is nothing, and the work counts in the alphabet's
// GrammarWork, whose Error is thrown where it is too much.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "grammar_rules.h"
#include "text_alphabet.h"

namespace quern {

class TextAutomaton {
 public:
  static constexpr size_t max_states = 32768;

  // The texts that a node matches. No node below it may be a reference.
  static std::optional<TextAutomaton> of(const GrammarRules& rules, GrammarRules::Node node,
                                         const TextAlphabet& alphabet);
  // Decimal numbers, whatever their signs and zeros, that are `divisor` times a whole number over 10^places. The
  // alphabet tells digits, sign and point apart.
  static std::optional<TextAutomaton> multiples(uint64_t divisor, uint32_t places, const TextAlphabet& alphabet);

  bool empty() const { return states_.empty(); }
  bool matches(std::string_view utf8) const;
  std::optional<TextAutomaton> intersected(const TextAutomaton& other) const;
  TextAutomaton complement() const;

  // A node for the texts of min to max characters; nothing if that takes too many states. character: what a character
  // of a set is written as.
  std::optional<GrammarRules::Node> write(GrammarRules& rules, uint32_t min, uint32_t max,
                                          const std::function<GrammarRules::Node(const CodeSet&)>& character) const;

 private:
  static constexpr uint32_t dead = UINT32_MAX;
  struct State {
    std::vector<uint32_t> next;  // by letter
    bool accepts = false;
  };
  explicit TextAutomaton(const TextAlphabet& alphabet) : alphabet_(&alphabet) {}
  void tidy();  // without states from which no text ends, and with equal ones made one
  void remove_dead_ends();
  void merge_equal();

  const TextAlphabet* alphabet_;  // outlives the automaton
  std::vector<State> states_;     // the first is where texts start; none: no text matches
};

}  // namespace quern
