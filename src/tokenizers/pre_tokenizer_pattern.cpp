// The pre-tokenizers that cut by a pattern: Split and CharDelimiterSplit.
#include "pattern.h"
#include "pre_tokenizer.h"
#include "split_behavior.h"

namespace quern {
namespace {

class PatternSplit final : public PreTokenizer {
 public:
  PatternSplit(PatternPtr pattern, Behavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

  void apply(Words& words) const override {
    words.scratch.clear();
    for (const Span word : words.spans) {
      words.matches.clear();
      pattern_->find(words.text.data(), word, words.matches);
      append_parts(word, words.matches, invert_, behavior_, words.scratch);
    }
    words.spans.swap(words.scratch);
  }

 private:
  PatternPtr pattern_;
  Behavior behavior_;
  bool invert_;
};

class DelimiterSplit final : public PreTokenizer {
 public:
  explicit DelimiterSplit(char32_t delimiter) : delimiter_(delimiter) {}

  void apply(Words& words) const override {
    words.scratch.clear();
    for (const Span word : words.spans) {
      words.matches.clear();
      for (uint32_t i = word.begin; i < word.end; ++i) {
        if (words.text[i].code == delimiter_) words.matches.push_back({i, i + 1});
      }
      append_parts(word, words.matches, false, Behavior::removed, words.scratch);
    }
    words.spans.swap(words.scratch);
  }

 private:
  char32_t delimiter_;
};

}  // namespace

PreTokenizerPtr make_split(const JsonField& field) {
  return std::make_unique<PatternSplit>(make_pattern(field.at("pattern")), behavior_of(field),
                                        field.boolean_or("invert", false));
}

PreTokenizerPtr make_char_delimiter_split(const JsonField& field) {
  return std::make_unique<DelimiterSplit>(field.at("delimiter").character());
}

}  // namespace quern
