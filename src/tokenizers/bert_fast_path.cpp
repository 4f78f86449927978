// The hot path of BERT's family. See bert_fast_path.h.
#include "bert_fast_path.h"

#include <algorithm>

#include "unicode.h"

namespace quern {
namespace {

constexpr size_t longest_word = 1024;  // longer ones, if the model allows them, take the general path

}  // namespace

BertFastPath::BertFastPath(const Normalizer& normalizer, const WordPiece& model)
    : model_(model), max_chars_(static_cast<size_t>(std::min<uint64_t>(model.max_chars(), longest_word))) {
  std::fill(std::begin(kind_), std::end(kind_), other);
  NormalizerScratch scratch;
  ModelScratch model_scratch;
  std::vector<Token> tokens;
  for (char32_t c = 0; c < 128; ++c) {
    Chars chars = {{c, 0, 1}};
    normalizer.apply(chars, scratch);
    lower_[c] = static_cast<char>(c);
    alone_[c] = model.unknown();
    if (chars.size() != 1 || chars[0].code >= 128) continue;  // dropped: its neighbours may join
    lower_[c] = static_cast<char>(chars[0].code);
    const uint16_t flags = unicode::flags(chars[0].code);
    kind_[c] = flags & unicode::white_space ? space : flags & unicode::punctuation ? punctuation : word;
    tokens.clear();
    model.tokenize(chars.data(), 1, model_scratch, tokens);
    alone_[c] = tokens[0].id;
  }
}

void BertFastPath::put_word(size_t begin, size_t size, size_t base, const Buffers& buffers,
                            std::vector<Token>& out) const {
  const auto at = [base](size_t i) { return static_cast<uint32_t>(base + i); };
  const char* text = buffers.word.data();
  const Vocabulary& vocab = model_.vocab();
  const int32_t whole = vocab.table().find(vocab, text, size, buffers.hashes[size]);  // most words are one piece
  if (whole >= 0) {
    out.push_back({whole, at(begin), at(begin + size)});
    return;
  }
  const size_t n_before = out.size();
  if (!model_.split(text, size, buffers.hashes.data(), out)) {
    out.push_back({model_.unknown(), at(begin), at(begin + size)});
    return;
  }
  for (size_t i = n_before; i < out.size(); ++i) {
    out[i].begin += at(begin);
    out[i].end += at(begin);
  }
}

BertFastPath::Segment BertFastPath::run(std::string_view text, size_t at, size_t base, Buffers& buffers,
                                        std::vector<Token>& out) const {
  buffers.word.resize(max_chars_ + 1);
  buffers.hashes.resize(max_chars_ + 2);
  char* const word_text = buffers.word.data();
  uint64_t* const hashes = buffers.hashes.data();
  hashes[0] = 0;
  const auto kind = [&](size_t i) { return kind_[static_cast<uint8_t>(text[i])]; };
  const size_t end = text.size();
  for (size_t i = at; i < end;) {
    if (kind(i) == space) {
      ++i;
    } else if (kind(i) == punctuation) {
      const uint32_t place = static_cast<uint32_t>(base + i);
      out.push_back({alone_[static_cast<uint8_t>(text[i])], place, place + 1});
      ++i;
    } else {
      size_t j = i, n = 0;
      uint64_t hash = 0;
      for (; j < end && n < max_chars_ && kind(j) == word; ++j) {
        const char c = lower_[static_cast<uint8_t>(text[j])];
        hash = PieceHash::append(hash, c);
        word_text[n] = c;
        hashes[++n] = hash;
      }
      const bool too_long = j < end && kind(j) == word;
      while (j < end && kind(j) == word) ++j;
      if ((j < end && kind(j) == other) || (too_long && model_.max_chars() > max_chars_)) {
        while (j < end && (kind(j) == word || kind(j) == other)) ++j;
        return {i, j};
      }
      if (too_long) {
        out.push_back({model_.unknown(), static_cast<uint32_t>(base + i), static_cast<uint32_t>(base + j)});
      } else {
        put_word(i, n, base, buffers, out);
      }
      i = j;
    }
  }
  return {end, end};
}

}  // namespace quern
