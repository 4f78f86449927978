// WordLevel. See wordlevel.h.
#include "wordlevel.h"

namespace quern {
namespace {

class WordLevel final : public TokenModel {
 public:
  WordLevel(const JsonField& field, TokenizerDocument& document) : TokenModel(std::move(document.vocab)) {
    unknown_ = unknown_id(field, "<unk>", vocab_);
  }

  void tokenize(const Char* word, size_t n, ModelScratch& scratch, std::vector<Token>& out) const override {
    word_bytes(word, n, false, scratch);
    const int32_t id = vocab_.find(scratch.bytes);
    out.push_back({id < 0 ? unknown_ : id, word[0].begin, word[n - 1].end});
  }

 private:
};

}  // namespace

std::unique_ptr<const TokenModel> make_wordlevel(const JsonField& field, TokenizerDocument& document) {
  return std::make_unique<WordLevel>(field, document);
}

}  // namespace quern
