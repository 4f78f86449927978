// The pre-tokenizers that cut by the kind of each character: BertPreTokenizer, Whitespace, WhitespaceSplit,
// Punctuation and Digits.
#include <algorithm>

#include "pre_tokenizer.h"
#include "unicode.h"

namespace quern {
namespace {

// What becomes of the characters that a word is cut at. Each of them is a match of its own.
enum class Behavior { removed, isolated, contiguous, merged_with_previous, merged_with_next };

bool has(const Words& words, uint32_t i, unicode::Flag flag) {
  return (unicode::flags(words.text[i].code) & flag) != 0;
}

// A word as segments: each run without the flag, and each character with it. In reverse if !forward.
template <class Emit>
void for_segments(const Words& words, Span word, unicode::Flag flag, bool forward, Emit emit) {
  if (forward) {
    for (uint32_t i = word.begin; i < word.end;) {
      const uint32_t begin = i;
      const bool match = has(words, i++, flag);
      while (!match && i < word.end && !has(words, i, flag)) ++i;
      emit(Span{begin, i}, match);
    }
  } else {
    for (uint32_t i = word.end; i > word.begin;) {
      const uint32_t end = i;
      const bool match = has(words, --i, flag);
      while (!match && i > word.begin && !has(words, i - 1, flag)) --i;
      emit(Span{i, end}, match);
    }
  }
}

// Appends the parts of one word to words.scratch.
void split_word(Words& words, Span word, unicode::Flag flag, Behavior behavior) {
  std::vector<Span>& out = words.scratch;
  const size_t first = out.size();
  const bool forward = behavior != Behavior::merged_with_next;
  bool previous_match = false;
  for_segments(words, word, flag, forward, [&](Span part, bool match) {
    const bool merge = out.size() > first && (behavior == Behavior::contiguous             ? match == previous_match
                                              : behavior == Behavior::merged_with_previous ? match && !previous_match
                                              : behavior == Behavior::merged_with_next     ? match && !previous_match
                                                                                           : false);
    if (merge && forward) {
      out.back().end = part.end;
    } else if (merge) {
      out.back().begin = part.begin;
    } else if (!match || behavior != Behavior::removed) {
      out.push_back(part);
    }
    previous_match = match;
  });
  if (!forward) std::reverse(out.begin() + static_cast<ptrdiff_t>(first), out.end());
}

void split(Words& words, unicode::Flag flag, Behavior behavior) {
  words.scratch.clear();
  for (const Span word : words.spans) split_word(words, word, flag, behavior);
  words.spans.swap(words.scratch);
}

class CharSplit final : public PreTokenizer {
 public:
  CharSplit(unicode::Flag flag, Behavior behavior) : flag_(flag), behavior_(behavior) {}
  void apply(Words& words) const override { split(words, flag_, behavior_); }

 private:
  unicode::Flag flag_;
  Behavior behavior_;
};

class BertPreTokenizer final : public PreTokenizer {
 public:
  void apply(Words& words) const override {
    split(words, unicode::white_space, Behavior::removed);
    split(words, unicode::punctuation, Behavior::isolated);
  }
};

// The regex \w+|[^\w\s]+.
class Whitespace final : public PreTokenizer {
 public:
  void apply(Words& words) const override {
    const auto kind = [&](uint32_t i) {
      return unicode::flags(words.text[i].code) & (unicode::word | unicode::white_space);
    };
    words.scratch.clear();
    for (const Span word : words.spans) {
      for (uint32_t i = word.begin; i < word.end;) {
        const uint32_t begin = i;
        while (i < word.end && kind(i) == kind(begin)) ++i;
        if (!(kind(begin) & unicode::white_space)) words.scratch.push_back({begin, i});
      }
    }
    words.spans.swap(words.scratch);
  }
};

Behavior behavior_of(const JsonField& field) {
  const std::string name = field.string_or("behavior", "Isolated");
  if (name == "Removed") return Behavior::removed;
  if (name == "Isolated") return Behavior::isolated;
  if (name == "Contiguous") return Behavior::contiguous;
  if (name == "MergedWithPrevious") return Behavior::merged_with_previous;
  if (name == "MergedWithNext") return Behavior::merged_with_next;
  field.fail("has a behavior \"" + name +
             "\"; expected Removed, Isolated, Contiguous, MergedWithPrevious or MergedWithNext");
}

}  // namespace

PreTokenizerPtr make_bert_pre_tokenizer(const JsonField&) {
  return std::make_unique<BertPreTokenizer>();
}

PreTokenizerPtr make_whitespace(const JsonField&) {
  return std::make_unique<Whitespace>();
}

PreTokenizerPtr make_whitespace_split(const JsonField&) {
  return std::make_unique<CharSplit>(unicode::white_space, Behavior::removed);
}

PreTokenizerPtr make_punctuation(const JsonField& field) {
  return std::make_unique<CharSplit>(unicode::punctuation, behavior_of(field));
}

PreTokenizerPtr make_digits(const JsonField& field) {
  const bool each = field.boolean_or("individual_digits", false);
  return std::make_unique<CharSplit>(unicode::numeric, each ? Behavior::isolated : Behavior::contiguous);
}

}  // namespace quern
