// SentencePiece's model files (tokenizer.model, spiece.model, sentencepiece.bpe.model): pieces, scores, and what the
// trainer and normalizer were told. A trust boundary: every length is bounded by what remains.
#pragma once
#include <string>
#include <string_view>

#include "external_vocabulary.h"

namespace quern {

struct SentencePieceModel {
  enum class Type { unigram = 1, bpe = 2 };
  ExternalVocabulary vocabulary;
  Type type = Type::unigram;
  bool byte_fallback = false;
  size_t unknown = 0;
  SpmNormalizer normalizer;
};

// Throws Error: bad_file, or unsupported for the types word and char.
SentencePieceModel read_sentencepiece(std::string_view bytes, const std::string& name);

}  // namespace quern
