// The stages of one tokenizer in their order, and the buffers that a text needs on its way through. For tokenizer.cpp
// and what stands beside it.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "added_tokens.h"
#include "bert_fast_path.h"
#include "decoder.h"
#include "document.h"
#include "model.h"
#include "normalizer.h"
#include "padding.h"
#include "post_processor.h"
#include "pre_tokenizer.h"
#include "tokenizer.h"
#include "utf8.h"

namespace quern {

// The buffers of one thread.
struct TokenizerScratch {
  RepairedUtf8 repaired;
  std::vector<TextPart> parts, normalized_parts;
  std::vector<Span> plain, normalized_plain;  // where no special token is, in the repaired and the normalized text
  Chars chars;
  NormalizerScratch normalizer;
  ModelScratch normalized;  // the normalized text as UTF-8, where added tokens are looked for in it
  Words words;
  ModelScratch model;
  BertFastPath::Buffers fast;
  std::vector<Token> a, b;
};

struct Tokenizer::Pipeline {
  NormalizerPtr normalizer;  // may be null, as may pre_tokenizer and fast
  PreTokenizerPtr pre_tokenizer;
  std::unique_ptr<const TokenModel> model;
  std::unique_ptr<const AddedTokens> added;
  std::unique_ptr<const BertFastPath> fast;
  DecoderPtr decoder;
  PostProcessor post = no_post_processor();
  std::optional<EncodeOptions> file_truncation;
  std::optional<Padding> file_padding;

  Pipeline(TokenizerDocument& document, bool fast_path);
  size_t tokenize(std::string_view text, std::span<const Span> plain, TokenizerScratch& s,
                  std::vector<Token>& out) const;
  void tokenize_part(std::string_view text, Span part, TokenizerScratch& s, std::vector<Token>& out) const;
  void tokenize_general(std::string_view text, Span part, TokenizerScratch& s, std::vector<Token>& out) const;
  void tokenize_words(TokenizerScratch& s, std::vector<Token>& out) const;
  void find_normalized_plain(TokenizerScratch& s) const;
  void refuse_special(std::span<const Token> tokens, const TokenizerScratch& s) const;
  void put_offsets(std::string_view text, std::span<const Token> tokens, std::vector<Span>& out) const;
  std::string_view piece(int32_t id) const;
  bool drops(const Token& t) const { return post.drops_unknown && t.id == model->unknown(); }
  // A text and those of its tokens that stay.
  struct Part {
    std::string_view text;
    std::span<const Token> tokens;
  };
  void assemble(const std::vector<TemplatePiece>& pieces, const EncodeOptions& options, Part a, Part b,
                Encoding& out) const;
};

}  // namespace quern
