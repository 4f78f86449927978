// Pre-tokenizers: they cut a normalized text into words, and may rewrite it.
// A new type is a function in a pre_tokenizer_*.cpp and a line in the table of pre_tokenizer.cpp.
#pragma once
#include <memory>
#include <vector>

#include "json_field.h"
#include "text.h"

namespace quern {

// A text and its words so far: ranges of indices into text, in order and not empty. What lies between is dropped.
struct Words {
  Chars text;
  std::vector<Span> spans;
  size_t most = SIZE_MAX;  // characters that text may grow to
  // Buffers of the stages.
  std::vector<Span> scratch, matches;
  Chars chars;
};

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  virtual void apply(Words& words) const = 0;
};

using PreTokenizerPtr = std::unique_ptr<const PreTokenizer>;

// From the JSON object of a pre-tokenizer. Throws Error.
PreTokenizerPtr make_pre_tokenizer(const JsonField& field);

PreTokenizerPtr make_bert_pre_tokenizer(const JsonField& field);
PreTokenizerPtr make_byte_level_pre_tokenizer(const JsonField& field);
PreTokenizerPtr make_char_delimiter_split(const JsonField& field);
PreTokenizerPtr make_digits(const JsonField& field);
PreTokenizerPtr make_fixed_length(const JsonField& field);
PreTokenizerPtr make_metaspace(const JsonField& field);
PreTokenizerPtr make_punctuation(const JsonField& field);
PreTokenizerPtr make_split(const JsonField& field);
PreTokenizerPtr make_unicode_scripts(const JsonField& field);
PreTokenizerPtr make_whitespace(const JsonField& field);
PreTokenizerPtr make_whitespace_split(const JsonField& field);

}  // namespace quern
