// The hot path of BERT's family: BertNormalizer, BertPreTokenizer and WordPiece in one pass over ASCII bytes.
// It must give what the general path gives; whatever is not plain ASCII it hands back, a word's length at a time.
#pragma once
#include <string_view>
#include <vector>

#include "normalizer.h"
#include "wordpiece.h"

namespace quern {

class BertFastPath {
 public:
  // How far the general path is asked to go, and where: bytes of the text.
  struct Segment {
    size_t begin, end;
  };

  // Asks the normalizer what it makes of each ASCII character. model must outlive this.
  BertFastPath(const Normalizer& bert_normalizer, const WordPiece& model);

  // Appends the tokens of text from `at` on, until the end or until a segment that is not plain ASCII, which is
  // returned and has to be tokenized by other means before going on at its end. The segment is cut at ASCII white
  // space and punctuation, across which neither the normalizer nor the model looks. At the end: {size, size}.
  // base: what to add to offsets. buffers are for reuse.
  struct Buffers {
    std::string word;
    std::vector<uint64_t> hashes;
  };
  Segment run(std::string_view text, size_t at, size_t base, Buffers& buffers, std::vector<Token>& out) const;

 private:
  enum Kind : uint8_t { word, space, punctuation, other };
  void put_word(size_t begin, size_t size, size_t base, const Buffers& buffers, std::vector<Token>& out) const;

  const WordPiece& model_;
  Kind kind_[256];
  char lower_[128];
  int32_t alone_[128];  // the token of a punctuation character
  size_t max_chars_;
};

}  // namespace quern
