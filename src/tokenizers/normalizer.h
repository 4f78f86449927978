// Normalizers: they rewrite the characters of a text, each of which keeps its place in the original.
// A new type is a function in a normalizer_*.cpp and a line in the table of normalizer.cpp.
#pragma once
#include <memory>
#include <vector>

#include "json_field.h"
#include "text.h"

namespace quern {

// Buffers that the stages share within one call; their contents mean nothing between two stages.
struct NormalizerScratch {
  Chars chars;
  std::vector<Rewritten> rewritten;
};

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void apply(Chars& text, NormalizerScratch& scratch) const = 0;
};

using NormalizerPtr = std::unique_ptr<const Normalizer>;

// From the JSON object of a normalizer. Throws Error.
NormalizerPtr make_normalizer(const JsonField& field);

NormalizerPtr make_bert_normalizer(const JsonField& field);
NormalizerPtr make_lowercase(const JsonField& field);
NormalizerPtr make_strip_accents(const JsonField& field);
NormalizerPtr make_nfd(const JsonField& field);
NormalizerPtr make_nfc(const JsonField& field);
NormalizerPtr make_strip(const JsonField& field);
NormalizerPtr make_replace(const JsonField& field);
NormalizerPtr make_prepend(const JsonField& field);

// Steps that several normalizers are made of.
void lowercase(Chars& text, NormalizerScratch& scratch);
void decompose(Chars& text, NormalizerScratch& scratch);  // NFD

}  // namespace quern
