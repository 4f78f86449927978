// Which tokens of a GGUF file end a generated text.
#pragma once
#include <unordered_set>

#include "gguf/reader.h"
#include "tokenizers/tokenizer.h"

namespace quern {

// What the keys tokenizer.ggml.{eos,eot,eom}_token_id say, and what well-known names of such tokens are in the
// vocabulary: files often lack the key for the token that ends a turn. Ids beyond the vocabulary are left out.
std::unordered_set<int32_t> end_tokens_of(const GgufReader& file, const Tokenizer& tokenizer);

}  // namespace quern
