// The letters of text_automaton.h's automata.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "grammar_rules.h"
#include "grammar_work.h"

namespace quern {

// Characters that none of some sets tells apart are one letter.
class TextAlphabet {
 public:
  static constexpr size_t max_letters = 512;
  // The sets that some nodes of rules are made of, and single characters. Nothing if there are too many letters. work:
  // outlives the alphabet; what is made of it counts there. Throws Error as GrammarWork::spend, here and there.
  static std::optional<TextAlphabet> of(const GrammarRules& rules, const std::vector<GrammarRules::Node>& nodes,
                                        GrammarWork& work, std::u32string_view characters = {});

  size_t size() const { return letters_.size(); }
  const CodeSet& operator[](size_t letter) const { return letters_[letter]; }
  uint32_t letter_of(char32_t c) const;
  std::vector<uint32_t> letters_in(const CodeSet& set) const;  // one of the sets
  void spend(uint64_t steps) const { work_->spend(steps); }

 private:
  explicit TextAlphabet(GrammarWork& work) : work_(&work) {}

  std::vector<CodeSet> letters_;
  std::vector<std::pair<char32_t, uint32_t>> starts_;  // of ranges, in order, and their letters
  GrammarWork* work_;
};

// An order of sets, whatever it is.
struct LessByRanges {
  bool operator()(const CodeSet& a, const CodeSet& b) const;
};

}  // namespace quern
