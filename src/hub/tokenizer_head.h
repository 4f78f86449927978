// What a tokenizer.json says before its vocabulary, which is nearly all of it and is passed over. Include it in .cpp
// files of hub/ only.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

namespace quern {

struct TokenizerHead {
  bool readable = false;  // a JSON object, at most 64 deep; else the rest is what stands before the fault
  nlohmann::json members = nlohmann::json::object();  // of added_tokens, normalizer and truncation those that are there
  std::string model;                                  // its type; "" where the file does not say

  // Tokens that the file would cut to; 0: it says nothing, or no number of the kind.
  uint64_t truncation_length() const;
};

// Throws nothing: what is wrong with the file is the tokenizer's to refuse.
TokenizerHead read_tokenizer_head(const std::string& tokenizer_json);

}  // namespace quern
