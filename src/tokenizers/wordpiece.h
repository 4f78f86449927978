// WordPiece: the longest piece that starts the word, then the longest with the prefix "##" that goes on, and so
// forth; a word that cannot be finished, or is too long, is one unknown token.
#pragma once
#include "model.h"

namespace quern {

class WordPiece final : public TokenModel {
 public:
  WordPiece(const JsonField& field, TokenizerDocument& document);
  void tokenize(const Char* word, size_t n, ModelScratch& scratch, std::vector<Token>& out) const override;
  void save(const TableSink& sink) const override {
    TokenModel::save(sink);
    continuing_.save(sink, "continuing_slots");
  }

  // Appends the pieces of a word of n > 0 bytes, each with its range of bytes in the word; false, and nothing
  // appended, if the word is unknown. hashes: of the prefixes of word, n + 1 values (see PieceHash).
  bool split(const char* word, size_t n, const uint64_t* hashes, std::vector<Token>& out) const;

  uint64_t max_chars() const { return max_chars_; }

 private:
  uint64_t max_chars_;
  PieceTable continuing_;         // the pieces that start with the prefix
  std::vector<uint64_t> powers_;  // PieceHash::base^i, up to the longest piece
};

std::unique_ptr<const TokenModel> make_wordpiece(const JsonField& field, TokenizerDocument& document);

}  // namespace quern
