// WordPiece. See wordpiece.h.
#include "wordpiece.h"

#include <algorithm>

namespace quern {

WordPiece::WordPiece(const JsonField& field, TokenizerDocument& document)
    : TokenModel(std::move(document.vocab)), max_chars_(100) {
  unknown_ = unknown_id(field, "[UNK]", vocab_);
  if (const auto max = field.find("max_input_chars_per_word")) max_chars_ = max->integer(UINT64_MAX);
  const std::string prefix = field.string_or("continuing_subword_prefix", "##");
  if (document.tables == nullptr) {
    continuing_.build(vocab_, prefix);
  } else {
    continuing_.view(vocab_, prefix, *document.tables, "continuing_slots");
  }
  powers_.assign(std::max(vocab_.table().longest(), continuing_.longest()) + 1, 1);
  for (size_t i = 1; i < powers_.size(); ++i) powers_[i] = powers_[i - 1] * PieceHash::base;
}

bool WordPiece::split(const char* word, size_t n, const uint64_t* hashes, std::vector<Token>& out) const {
  const size_t n_before = out.size();
  for (size_t start = 0; start < n;) {
    const PieceTable& table = start == 0 ? vocab_.table() : continuing_;
    size_t size = std::min(n - start, table.longest());
    int32_t id = -1;
    for (; size > 0; --size) {
      id = table.find(vocab_, word + start, size, hashes[start + size] - hashes[start] * powers_[size]);
      if (id >= 0) break;
    }
    if (id < 0) {
      out.resize(n_before);
      return false;
    }
    out.push_back({id, static_cast<uint32_t>(start), static_cast<uint32_t>(start + size)});
    start += size;
  }
  return true;
}

void WordPiece::tokenize(const Char* word, size_t n, ModelScratch& scratch, std::vector<Token>& out) const {
  const size_t n_before = out.size();
  if (n <= max_chars_) {
    word_bytes(word, n, true, scratch);
    const std::string& bytes = scratch.bytes;
    scratch.hashes.assign(1, 0);
    for (const char c : bytes) scratch.hashes.push_back(PieceHash::append(scratch.hashes.back(), c));
    if (split(bytes.data(), bytes.size(), scratch.hashes.data(), out)) {
      for (size_t i = n_before; i < out.size(); ++i) {
        out[i].begin = word[scratch.char_of[out[i].begin]].begin;
        out[i].end = word[scratch.char_of[out[i].end - 1]].end;
      }
      return;
    }
  }
  out.push_back({unknown_, word[0].begin, word[n - 1].end});
}

std::unique_ptr<const TokenModel> make_wordpiece(const JsonField& field, TokenizerDocument& document) {
  return std::make_unique<WordPiece>(field, document);
}

}  // namespace quern
