// The ways in which byte-level vocabularies cut texts, by llama.cpp's names (tokenizer.ggml.pre).
#pragma once
#include <string>

namespace quern {

struct BytePreTokenizer {
  const char* names;          // with a space before and after each
  const char* normalizer;     // JSON of the stage, as the models' own tokenizer.json has it
  const char* pre_tokenizer;  // likewise
  bool ignore_merges, add_bos, add_eos;
  bool double_separator = false;  // a pair has two of the last token between its texts, as RoBERTa's
};

// Throws Error unsupported, with the names that there are.
const BytePreTokenizer& byte_pre_tokenizer(const std::string& name, const std::string& file);

}  // namespace quern
