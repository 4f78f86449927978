// The ways in which byte-level vocabularies cut texts, by llama.cpp's names (tokenizer.ggml.pre).
#pragma once
#include <nlohmann/json_fwd.hpp>
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

// The other way: the one with these stages of a tokenizer.json (null for none), of several one that ends texts as
// wanted. Null: no name says the same.
const BytePreTokenizer* find_byte_pre_tokenizer(const nlohmann::json& normalizer, const nlohmann::json& pre_tokenizer,
                                                bool ignore_merges, bool add_eos);
std::string first_name(const BytePreTokenizer& entry);

}  // namespace quern
