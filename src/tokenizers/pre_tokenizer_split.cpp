// The pre-tokenizers that cut by the kind of each character or by their number: BertPreTokenizer, Whitespace,
// WhitespaceSplit, Punctuation, Digits, UnicodeScripts, FixedLength.
#include "pre_tokenizer.h"
#include "split_behavior.h"
#include "unicode.h"

namespace quern {
namespace {

// Cuts at each character that has the flag.
void split(Words& words, unicode::Flag flag, Behavior behavior) {
  cut_words_at_chars(words, behavior, [flag](char32_t code) { return (unicode::flags(code) & flag) != 0; });
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

// A word starts where a script follows another; what goes with any script does not end one, and is dropped where no
// script came before it.
class UnicodeScripts final : public PreTokenizer {
 public:
  void apply(Words& words) const override {
    words.scratch.clear();
    for (const Span word : words.spans) {
      uint8_t last = 0;
      for (uint32_t i = word.begin; i < word.end; ++i) {
        const uint8_t script = unicode::script(words.text[i].code);
        if (script != 0 && script != last) {
          words.scratch.push_back({i, i + 1});
          last = script;
        } else if (last != 0) {
          words.scratch.back().end = i + 1;
        }
      }
    }
    words.spans.swap(words.scratch);
  }
};

class FixedLength final : public PreTokenizer {
 public:
  explicit FixedLength(uint32_t length) : length_(length) {}
  void apply(Words& words) const override {
    words.scratch.clear();
    for (Span rest : words.spans) {
      for (; rest.end - rest.begin > length_; rest.begin += length_) {
        words.scratch.push_back({rest.begin, rest.begin + length_});
      }
      words.scratch.push_back(rest);
    }
    words.spans.swap(words.scratch);
  }

 private:
  uint32_t length_;
};

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
  return std::make_unique<CharSplit>(unicode::punctuation, behavior_of(field, "Isolated"));
}

PreTokenizerPtr make_digits(const JsonField& field) {
  const bool each = field.boolean_or("individual_digits", false);
  return std::make_unique<CharSplit>(unicode::numeric, each ? Behavior::isolated : Behavior::contiguous);
}

PreTokenizerPtr make_unicode_scripts(const JsonField&) {
  return std::make_unique<UnicodeScripts>();
}

PreTokenizerPtr make_fixed_length(const JsonField& field) {
  const auto length = field.find("length");
  const uint64_t n = length ? length->integer(UINT32_MAX) : 5;
  if (n == 0) length->fail("should be at least 1");
  return std::make_unique<FixedLength>(static_cast<uint32_t>(n));
}

}  // namespace quern
