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
    cut_words(words, behavior_, invert_,
              [&](Span word, std::vector<Span>& matches) { pattern_->find(words.text.data(), word, matches); });
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
    cut_words_at_chars(words, Behavior::removed, [&](char32_t code) { return code == delimiter_; });
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
