// Added tokens, normalizer, pre-tokenizer, model; and putting tokens together. See tokenizer_pipeline.h.
#include "tokenizer_pipeline.h"

#include "plain_spans.h"
#include "trim.h"
#include "truncation.h"

namespace quern {
namespace {

constexpr size_t max_text = size_t{1} << 30;  // bytes, so that offsets fit 32 bits even after repair

}  // namespace

Tokenizer::Pipeline::Pipeline(TokenizerDocument& document, bool fast_path) {
  const JsonField root = document.root();
  const auto has_type = [](const std::optional<JsonField>& f, const char* type) {
    return f && f->at("type").string() == type;
  };
  const auto normalizer_field = root.find("normalizer"), pre_field = root.find("pre_tokenizer");
  if (normalizer_field) normalizer = make_normalizer(*normalizer_field);
  if (pre_field) pre_tokenizer = make_pre_tokenizer(*pre_field);
  const bool is_wordpiece = model_type(document) == "WordPiece";
  model = make_model(document);
  added = std::make_unique<AddedTokens>(root.find("added_tokens"), model->vocab(), normalizer.get());
  if (const auto field = root.find("post_processor")) post = make_post_processor(*field, added->vocab_size());
  decoder = make_decoder(root.find("decoder"));
  if (const auto truncation = root.find("truncation")) file_truncation = read_truncation(*truncation);
  if (const auto padding = root.find("padding")) file_padding = read_padding(*padding);
  if (fast_path && has_type(normalizer_field, "BertNormalizer") && has_type(pre_field, "BertPreTokenizer") &&
      is_wordpiece && added->normalized.empty()) {
    fast = std::make_unique<BertFastPath>(*normalizer, static_cast<const WordPiece&>(*model));
  }
}

// Appends the tokens of a text, without special tokens, and returns how many invalid sequences it had.
size_t Tokenizer::Pipeline::tokenize(std::string_view text, std::span<const Span> plain, TokenizerScratch& s,
                                     std::vector<Token>& out) const {
  out.clear();
  if (text.size() > max_text) {
    throw Error(Status::bad_argument,
                "a text should be at most 1 GiB, but has " + std::to_string(text.size()) + " bytes");
  }
  const bool valid = find_invalid_utf8(text) == text.size();
  if (!valid) s.repaired.assign(text);
  const std::string_view clean = valid ? text : s.repaired.text();
  s.plain.assign(plain.begin(), plain.end());
  check_plain_spans(s.plain, text.size());
  if (!valid) move_to_copy(s.plain, s.repaired);
  s.parts.clear();
  added->raw.split(clean, s.plain, s.parts);
  for (const TextPart& part : s.parts) {
    if (part.id >= 0) {
      out.push_back({part.id, part.bytes.begin, part.bytes.end});
    } else {
      tokenize_part(clean, part.bytes, s, out);
    }
  }
  if (valid) return 0;
  for (Token& token : out) {
    token.begin = s.repaired.original(token.begin);
    token.end = s.repaired.original(token.end);
  }
  return s.repaired.n_replaced();
}

void Tokenizer::Pipeline::tokenize_part(std::string_view text, Span part, TokenizerScratch& s,
                                        std::vector<Token>& out) const {
  if (fast == nullptr) return tokenize_general(text, part, s, out);
  const std::string_view bytes = text.substr(part.begin, part.end - part.begin);
  const size_t n_before = out.size();
  for (size_t at = 0; at < bytes.size();) {
    const BertFastPath::Segment rest = fast->run(bytes, at, part.begin, s.fast, out);
    if (rest.begin < rest.end) {
      const auto place = [&part](size_t i) { return static_cast<uint32_t>(part.begin + i); };
      tokenize_general(text, {place(rest.begin), place(rest.end)}, s, out);
    }
    at = rest.end;
  }
  refuse_special(std::span(out).subspan(n_before), s);
}

void Tokenizer::Pipeline::tokenize_general(std::string_view text, Span part, TokenizerScratch& s,
                                           std::vector<Token>& out) const {
  s.chars.clear();
  for (uint32_t i = part.begin; i < part.end;) {
    const Utf8Char c = decode_utf8(text.data() + i);
    s.chars.push_back({c.code, i, i + c.size});
    i += c.size;
  }
  s.words.most = s.normalizer.most = max_chars(s.chars.size());
  s.normalizer.begin = part.begin;
  if (normalizer) normalizer->apply(s.chars, s.normalizer);
  if (added->normalized.empty()) {
    s.words.text.swap(s.chars);
    return tokenize_words(s, out);
  }
  word_bytes(s.chars.data(), s.chars.size(), true, s.normalized);
  s.normalized_parts.clear();
  find_normalized_plain(s);
  added->normalized.split(s.normalized.bytes, s.normalized_plain, s.normalized_parts);
  for (const TextPart& p : s.normalized_parts) {
    const Char* first = s.chars.data() + s.normalized.char_of[p.bytes.begin];
    const Char* last = s.chars.data() + s.normalized.char_of[p.bytes.end - 1];
    if (p.id >= 0) {
      out.push_back({p.id, first->begin, last->end});
    } else {
      s.words.text.assign(first, last + 1);
      tokenize_words(s, out);
    }
  }
}

// Of the text in s.words.
void Tokenizer::Pipeline::tokenize_words(TokenizerScratch& s, std::vector<Token>& out) const {
  if (s.words.text.empty()) return;
  s.words.spans.assign(1, {0, static_cast<uint32_t>(s.words.text.size())});
  if (pre_tokenizer) pre_tokenizer->apply(s.words);
  const size_t n_before = out.size();
  for (const Span word : s.words.spans) {
    model->tokenize(s.words.text.data() + word.begin, word.end - word.begin, s.model, out);
  }
  refuse_special(std::span(out).subspan(n_before), s);
}

// The runs of characters in s.chars that stand for plain bytes, as bytes of s.normalized.
void Tokenizer::Pipeline::find_normalized_plain(TokenizerScratch& s) const {
  s.normalized_plain.clear();
  if (s.plain.empty()) return;
  for (uint32_t i = 0; i < s.normalized.bytes.size(); ++i) {
    const Char& c = s.chars[s.normalized.char_of[i]];
    if (!touches_plain(s.plain, {c.begin, c.end})) continue;
    if (s.normalized_plain.empty() || s.normalized_plain.back().end != i) s.normalized_plain.push_back({i, i});
    s.normalized_plain.back().end = i + 1;
  }
}

// Tokens that the model made, not the matchers: some vocabularies can spell their special tokens.
void Tokenizer::Pipeline::refuse_special(std::span<const Token> tokens, const TokenizerScratch& s) const {
  if (s.plain.empty()) return;
  for (const Token& t : tokens) {
    if (!added->is_special(t.id) || t.id == model->unknown() || !touches_plain(s.plain, {t.begin, t.end})) continue;
    throw Error(Status::unsupported, "the tokenizer makes the special token \"" + std::string(piece(t.id)) +
                                         "\" of plain text, in which there should be none");
  }
}

void Tokenizer::Pipeline::put_offsets(std::string_view text, std::span<const Token> tokens,
                                      std::vector<Span>& out) const {
  for (size_t i = 0; i < tokens.size(); ++i) {
    const Token& t = tokens[i];
    if (drops(t)) continue;
    Span span = {t.begin, t.end};
    for (const bool keep_prefix : post.trims) {
      const bool as_in_text = added->takes_space(t.id);
      const std::string_view value = as_in_text ? text.substr(t.begin, t.end - t.begin) : piece(t.id);
      span = trim_offsets(text, span, value, keep_prefix && i == 0);
    }
    out.push_back(span);
  }
}

// Puts the tokens of both texts and the special tokens together as the template says.
void Tokenizer::Pipeline::assemble(const std::vector<TemplatePiece>& pieces, const EncodeOptions& options, Part a,
                                   Part b, Encoding& out) const {
  out.ids.clear();
  out.type_ids.clear();
  out.offsets.clear();
  out.special_mask.clear();
  out.attention_mask.clear();
  for (const TemplatePiece& piece : pieces) {
    if (piece.kind == TemplatePiece::Kind::special) {
      if (!options.add_special) continue;
      out.ids.push_back(piece.id);
      if (options.want_offsets) out.offsets.push_back({0, 0});
    } else {
      const Part& part = piece.kind == TemplatePiece::Kind::text_a ? a : b;
      for (const Token& t : part.tokens)
        if (!drops(t)) out.ids.push_back(t.id);
      if (options.want_offsets) put_offsets(part.text, part.tokens, out.offsets);
    }
    out.type_ids.resize(out.ids.size(), piece.type_id);
    out.special_mask.resize(out.ids.size(), piece.kind == TemplatePiece::Kind::special);
  }
}

std::string_view Tokenizer::Pipeline::piece(int32_t id) const {
  const Vocabulary& vocab = model->vocab();
  return static_cast<size_t>(id) < vocab.size() ? vocab.piece(id) : added->piece(id);
}

}  // namespace quern
