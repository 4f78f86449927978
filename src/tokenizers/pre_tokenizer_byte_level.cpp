// ByteLevel: GPT-2's words, each byte of which becomes a character.
#include "byte_level_text.h"
#include "pattern.h"
#include "pre_tokenizer.h"
#include "split_behavior.h"

namespace quern {
namespace {

class ByteLevelPreTokenizer final : public PreTokenizer {
 public:
  ByteLevelPreTokenizer(bool add_prefix_space, bool use_regex)
      : add_prefix_space_(add_prefix_space), pattern_(use_regex ? make_gpt2_pattern() : nullptr) {}

  void apply(Words& words) const override {
    if (add_prefix_space_) add_prefix_spaces(words);
    if (pattern_)
      cut_words(words, Behavior::isolated, false,
                [&](Span word, std::vector<Span>& matches) { pattern_->find(words.text.data(), word, matches); });
    Chars& out = words.chars;
    out.clear();
    for (Span& word : words.spans) {
      const uint32_t begin = static_cast<uint32_t>(out.size());
      for (uint32_t i = word.begin; i < word.end; ++i) append_bytes(words.text[i], out);
      word = {begin, static_cast<uint32_t>(out.size())};
    }
    words.text.swap(out);
  }

 private:
  static void add_prefix_spaces(Words& words) {
    Chars& out = words.chars;
    out.clear();
    for (Span& word : words.spans) {
      const uint32_t begin = static_cast<uint32_t>(out.size());
      const Char& first = words.text[word.begin];
      if (first.code != U' ') out.push_back({U' ', first.begin, first.end});
      out.insert(out.end(), words.text.begin() + word.begin, words.text.begin() + word.end);
      word = {begin, static_cast<uint32_t>(out.size())};
    }
    words.text.swap(out);
  }

  bool add_prefix_space_;
  PatternPtr pattern_;
};

}  // namespace

PreTokenizerPtr make_byte_level_pre_tokenizer(const JsonField& field) {
  return std::make_unique<ByteLevelPreTokenizer>(field.boolean_or("add_prefix_space", true),
                                                 field.boolean_or("use_regex", true));
}

}  // namespace quern
