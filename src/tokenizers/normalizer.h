// Normalizers: they rewrite the characters of a text, each of which keeps its place in the original.
// A new type is a function in a normalizer_*.cpp and a line in the table of normalizer.cpp.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "json_field.h"
#include "text.h"

namespace quern {

// Buffers that the stages share within one call; their contents mean nothing between two stages.
struct NormalizerScratch {
  Chars chars;
  std::vector<Rewritten> rewritten;
  std::vector<Span> matches;
  std::string bytes;
  // Set for each text. begin: its first byte, for what is put in before its first character. most: characters it may
  // grow to.
  uint32_t begin = 0;
  size_t most = SIZE_MAX;
};

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  // Throws Error if the text would become longer than scratch.most, or by a regular expression that takes too long.
  virtual void apply(Chars& text, NormalizerScratch& scratch) const = 0;
};

using NormalizerPtr = std::unique_ptr<const Normalizer>;

// From the JSON object of a normalizer. Throws Error.
NormalizerPtr make_normalizer(const JsonField& field);

NormalizerPtr make_bert_normalizer(const JsonField& field);
NormalizerPtr make_byte_level_normalizer(const JsonField& field);
NormalizerPtr make_lowercase(const JsonField& field);
NormalizerPtr make_nfc(const JsonField& field);
NormalizerPtr make_nfd(const JsonField& field);
NormalizerPtr make_nfkc(const JsonField& field);
NormalizerPtr make_nfkd(const JsonField& field);
NormalizerPtr make_nmt(const JsonField& field);
NormalizerPtr make_precompiled(const JsonField& field);
NormalizerPtr make_prepend(const JsonField& field);
NormalizerPtr make_replace(const JsonField& field);
NormalizerPtr make_strip(const JsonField& field);
NormalizerPtr make_strip_accents(const JsonField& field);

// Steps that several normalizers are made of.
void lowercase(Chars& text, NormalizerScratch& scratch);
void decompose(Chars& text, NormalizerScratch& scratch);  // NFD
// Puts scratch.rewritten in text's place, each character with the bytes of the old one it stands for.
void rewrite(Chars& text, NormalizerScratch& scratch);

}  // namespace quern
