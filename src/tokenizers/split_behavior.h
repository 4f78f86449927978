// What becomes of the matches that a word is cut at.
#pragma once
#include <vector>

#include "pre_tokenizer.h"

namespace quern {

enum class Behavior { removed, isolated, contiguous, merged_with_previous, merged_with_next };

// From field's "behavior". Throws Error.
Behavior behavior_of(const JsonField& field, const char* absent = nullptr);

// Appends the parts, none of them empty, that matches (in order, within word) cut a word into. invert: what lies
// between the matches takes their part, and they its.
void append_parts(Span word, const std::vector<Span>& matches, bool invert, Behavior behavior, std::vector<Span>& out);

// Cuts each word at its matches: find(word, matches) appends them.
template <class Find>
void cut_words(Words& words, Behavior behavior, bool invert, const Find& find) {
  words.scratch.clear();
  for (const Span word : words.spans) {
    words.matches.clear();
    find(word, words.matches);
    append_parts(word, words.matches, invert, behavior, words.scratch);
  }
  words.spans.swap(words.scratch);
}

// The same where a match is one character for which is(code) holds.
template <class Is>
void cut_words_at_chars(Words& words, Behavior behavior, const Is& is) {
  cut_words(words, behavior, false, [&](Span word, std::vector<Span>& matches) {
    for (uint32_t i = word.begin; i < word.end; ++i)
      if (is(words.text[i].code)) matches.push_back({i, i + 1});
  });
}

}  // namespace quern
