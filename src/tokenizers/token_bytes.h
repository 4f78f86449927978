// The exact bytes of single tokens, which need not be whole characters. For grammars and streaming.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "tokenizer.h"

namespace quern {

// What tokens add to a text in its middle: byte tokens are their byte, a word's mark is a space. Special tokens and ids
// that there are not add nothing.
class TokenBytes {
 public:
  explicit TokenBytes(const Tokenizer& tokenizer);  // the tokenizer must outlive it
  ~TokenBytes();
  std::string operator()(int32_t id) const;

 private:
  struct Steps;
  const Tokenizer& tokenizer_;
  std::unique_ptr<const Steps> steps_;
};

// For one token; TokenBytes is cheaper for many.
std::string token_bytes(const Tokenizer& tokenizer, int32_t id);

}  // namespace quern
