// The table of pre-tokenizers, and Sequence.
#include "pre_tokenizer.h"

namespace quern {
namespace {

class PreTokenizerSequence final : public PreTokenizer {
 public:
  explicit PreTokenizerSequence(std::vector<PreTokenizerPtr> steps) : steps_(std::move(steps)) {}
  void apply(Words& words) const override {
    for (const PreTokenizerPtr& step : steps_) {
      step->apply(words);
      check_growth(words.text.size(), words.most);
    }
  }

 private:
  std::vector<PreTokenizerPtr> steps_;
};

PreTokenizerPtr make_pre_tokenizer_sequence(const JsonField& field) {
  std::vector<PreTokenizerPtr> steps;
  for (const JsonField& item : field.at("pretokenizers").items()) steps.push_back(make_pre_tokenizer(item));
  if (steps.size() > max_steps) field.at("pretokenizers").fail("has more than 256 steps", Status::unsupported);
  return std::make_unique<PreTokenizerSequence>(std::move(steps));
}

constexpr StageType<PreTokenizerPtr> pre_tokenizer_types[] = {
    {"BertPreTokenizer", make_bert_pre_tokenizer},
    {"ByteLevel", make_byte_level_pre_tokenizer},
    {"CharDelimiterSplit", make_char_delimiter_split},
    {"Digits", make_digits},
    {"FixedLength", make_fixed_length},
    {"Metaspace", make_metaspace},
    {"Punctuation", make_punctuation},
    {"Sequence", make_pre_tokenizer_sequence},
    {"Split", make_split},
    {"UnicodeScripts", make_unicode_scripts},
    {"Whitespace", make_whitespace},
    {"WhitespaceSplit", make_whitespace_split},
};

}  // namespace

PreTokenizerPtr make_pre_tokenizer(const JsonField& field) {
  return make_stage(field, pre_tokenizer_types);
}

}  // namespace quern
