// Models: they turn one word into tokens. A new type is a class in a file of its own and a line in the table of
// model.cpp.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "document.h"
#include "text.h"
#include "vocab.h"

namespace quern {

struct ModelScratch {
  std::string bytes;
  std::vector<uint32_t> char_of;  // for each byte, its character
  std::vector<uint64_t> hashes;   // of the prefixes of bytes
};

class Model {
 public:
  virtual ~Model() = default;
  // Appends the tokens of a word of n > 0 characters.
  virtual void tokenize(const Char* word, size_t n, ModelScratch& scratch, std::vector<Token>& out) const = 0;
  const Vocab& vocab() const { return vocab_; }

 protected:
  explicit Model(Vocab vocab) : vocab_(std::move(vocab)) {}
  Vocab vocab_;
};

// From the document's "model", whose vocabulary it takes. Throws Error.
std::unique_ptr<const Model> make_model(TokenizerDocument& document);

// The type that a model has, or, in old files, is taken to have.
std::string model_type(const TokenizerDocument& document);

// The word as UTF-8, into scratch.bytes; if map, also the character of each byte, into scratch.char_of.
void word_bytes(const Char* word, size_t n, bool map, ModelScratch& scratch);

// The id of the token for what the vocabulary lacks: field's "unk_token". It must be in the vocabulary.
int32_t unknown_id(const JsonField& field, const char* absent, const Vocab& vocab);

}  // namespace quern
