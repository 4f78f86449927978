// Models: they turn one word into tokens. A new type is a class in a file of its own and a line in the table of
// model.cpp.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "document.h"
#include "text.h"
#include "vocabulary.h"

namespace quern {

struct ModelScratch {
  std::string bytes;
  std::vector<uint32_t> char_of;  // for each byte, its character
  std::vector<uint64_t> hashes;   // of the prefixes of bytes

  // BPE's.
  struct Symbol {
    int32_t id;
    uint32_t size;  // bytes of the word
  };
  struct Link {
    uint32_t previous, next, rank;
    int32_t merged;  // what the pair that starts here becomes
  };
  std::vector<Symbol> symbols;
  std::vector<Link> links;
  std::vector<uint64_t> heap;
  std::string piece;

  // Unigram's.
  struct Step {
    static constexpr uint32_t none = UINT32_MAX;
    double score;
    int32_t id;
    uint32_t begin;
  };
  std::vector<Step> steps;     // by where they end
  std::vector<uint32_t> path;  // ends, from the last one on
};

class TokenModel {
 public:
  virtual ~TokenModel() = default;
  // Appends the tokens of a word of n > 0 characters.
  virtual void tokenize(const Char* word, size_t n, ModelScratch& scratch, std::vector<Token>& out) const = 0;
  const Vocabulary& vocab() const { return vocab_; }
  int32_t unknown() const { return unknown_; }  // the token for what the vocabulary lacks; -1: there is none
  // Gives everything that make_model would take from a TableSource.
  virtual void save(const TableSink& sink) const { vocab_.save(sink); }

 protected:
  explicit TokenModel(Vocabulary vocab) : vocab_(std::move(vocab)) {}
  Vocabulary vocab_;
  int32_t unknown_ = -1;
};

// From the document's "model", whose vocabulary and merges it takes. Throws Error.
std::unique_ptr<const TokenModel> make_model(TokenizerDocument& document);

// The type that a model has, or, in old files, is taken to have.
std::string model_type(const TokenizerDocument& document);

// The word as UTF-8, into scratch.bytes; if map, also the character of each byte, into scratch.char_of.
void word_bytes(const Char* word, size_t n, bool map, ModelScratch& scratch);

// The id of the token for what the vocabulary lacks: field's "unk_token". It must be in the vocabulary.
int32_t unknown_id(const JsonField& field, const char* absent, const Vocabulary& vocab);

}  // namespace quern
