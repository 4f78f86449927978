// The pipeline: added tokens, normalizer, pre-tokenizer, model, truncation, post-processor. See tokenizer.h.
#include "tokenizer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "added_tokens.h"
#include "bert_fast_path.h"
#include "decoder.h"
#include "document.h"
#include "model.h"
#include "normalizer.h"
#include "padding.h"
#include "post_processor.h"
#include "pre_tokenizer.h"
#include "trim.h"
#include "truncation.h"
#include "utf8.h"

namespace quern {
namespace {

constexpr size_t max_text = size_t{1} << 30;     // bytes, so that offsets fit 32 bits even after repair
constexpr size_t long_text = size_t{256} << 10;  // bytes; the buffers take some 100 times as much at worst

// The buffers of one thread.
struct Scratch {
  RepairedUtf8 repaired;
  std::vector<TextPart> parts, normalized_parts;
  Chars chars;
  NormalizerScratch normalizer;
  ModelScratch normalized;  // the normalized text as UTF-8, where added tokens are looked for in it
  Words words;
  ModelScratch model;
  BertFastPath::Buffers fast;
  std::vector<Token> a, b;
};

Scratch& thread_scratch() {
  static thread_local Scratch scratch;
  return scratch;
}

// After a long text: gives the memory back.
void trim(Scratch& scratch, size_t text_bytes) {
  if (text_bytes > long_text) scratch = Scratch();
}

}  // namespace

struct Tokenizer::Pipeline {
  NormalizerPtr normalizer;  // may be null, as may pre_tokenizer and fast
  PreTokenizerPtr pre_tokenizer;
  std::unique_ptr<const Model> model;
  std::unique_ptr<const AddedTokens> added;
  std::unique_ptr<const BertFastPath> fast;
  DecoderPtr decoder;
  PostProcessor post = no_post_processor();
  std::optional<EncodeOptions> file_truncation;
  std::optional<Padding> file_padding;

  Pipeline(TokenizerDocument& document, bool fast_path);
  size_t tokenize(std::string_view text, Scratch& s, std::vector<Token>& out) const;
  void tokenize_part(std::string_view text, Span part, Scratch& s, std::vector<Token>& out) const;
  void tokenize_general(std::string_view text, Span part, Scratch& s, std::vector<Token>& out) const;
  void tokenize_words(Scratch& s, std::vector<Token>& out) const;
  void put_offsets(std::string_view text, std::span<const Token> tokens, std::vector<Span>& out) const;
  std::string_view piece(int32_t id) const;
  // A text and those of its tokens that stay.
  struct Part {
    std::string_view text;
    std::span<const Token> tokens;
  };
  void assemble(const std::vector<TemplatePiece>& pieces, const EncodeOptions& options, Part a, Part b,
                Encoding& out) const;
};

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
size_t Tokenizer::Pipeline::tokenize(std::string_view text, Scratch& s, std::vector<Token>& out) const {
  out.clear();
  if (text.size() > max_text) {
    throw Error(Status::bad_argument,
                "a text should be at most 1 GiB, but has " + std::to_string(text.size()) + " bytes");
  }
  const bool valid = find_invalid_utf8(text) == text.size();
  if (!valid) s.repaired.assign(text);
  const std::string_view clean = valid ? text : s.repaired.text();
  s.parts.clear();
  added->raw.split(clean, s.parts);
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

void Tokenizer::Pipeline::tokenize_part(std::string_view text, Span part, Scratch& s, std::vector<Token>& out) const {
  if (fast == nullptr) return tokenize_general(text, part, s, out);
  const std::string_view bytes = text.substr(part.begin, part.end - part.begin);
  for (size_t at = 0; at < bytes.size();) {
    const BertFastPath::Segment rest = fast->run(bytes, at, part.begin, s.fast, out);
    if (rest.begin < rest.end) {
      const auto place = [&part](size_t i) { return static_cast<uint32_t>(part.begin + i); };
      tokenize_general(text, {place(rest.begin), place(rest.end)}, s, out);
    }
    at = rest.end;
  }
}

void Tokenizer::Pipeline::tokenize_general(std::string_view text, Span part, Scratch& s,
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
  added->normalized.split(s.normalized.bytes, s.normalized_parts);
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
void Tokenizer::Pipeline::tokenize_words(Scratch& s, std::vector<Token>& out) const {
  if (s.words.text.empty()) return;
  s.words.spans.assign(1, {0, static_cast<uint32_t>(s.words.text.size())});
  if (pre_tokenizer) pre_tokenizer->apply(s.words);
  for (const Span word : s.words.spans) {
    model->tokenize(s.words.text.data() + word.begin, word.end - word.begin, s.model, out);
  }
}

void Tokenizer::Pipeline::put_offsets(std::string_view text, std::span<const Token> tokens,
                                      std::vector<Span>& out) const {
  for (size_t i = 0; i < tokens.size(); ++i) {
    const Token& t = tokens[i];
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
      for (const Token& t : part.tokens) out.ids.push_back(t.id);
      if (options.want_offsets) put_offsets(part.text, part.tokens, out.offsets);
    }
    out.type_ids.resize(out.ids.size(), piece.type_id);
    out.special_mask.resize(out.ids.size(), piece.kind == TemplatePiece::Kind::special);
  }
}

std::string_view Tokenizer::Pipeline::piece(int32_t id) const {
  const Vocab& vocab = model->vocab();
  return static_cast<size_t>(id) < vocab.size() ? vocab.piece(id) : added->piece(id);
}

namespace {

// How many tokens may stay, beside the special ones.
size_t token_budget(const EncodeOptions& options, size_t n_special) {
  if (options.max_length == 0) return SIZE_MAX;
  const size_t n = options.add_special ? n_special : 0;
  if (options.max_length < n) {
    throw Error(Status::bad_argument, "max_length is " + std::to_string(options.max_length) +
                                          ", but the special tokens alone are " + std::to_string(n));
  }
  return options.max_length - n;
}

// The tokens that truncation keeps.
std::span<const Token> cut(const std::vector<Token>& tokens, size_t keep, bool left) {
  return std::span(tokens).subspan(left ? tokens.size() - keep : 0, keep);
}

std::span<const Token> cut(const std::vector<Token>& tokens, Span window) {
  return std::span(tokens).subspan(window.begin, window.end - window.begin);
}

}  // namespace

Tokenizer::Tokenizer(std::unique_ptr<const Pipeline> pipeline) : pipeline_(std::move(pipeline)) {}
Tokenizer::~Tokenizer() = default;

std::unique_ptr<const Tokenizer> Tokenizer::parse(std::string_view json, const std::string& name, bool fast_path,
                                                  const TableSource* tables) {
  try {
    TokenizerDocument document(json, name, tables);
    return std::unique_ptr<const Tokenizer>(new Tokenizer(std::make_unique<const Pipeline>(document, fast_path)));
  } catch (const nlohmann::json::exception& e) {
    throw Error(Status::bad_file, clip_message(name + ": " + e.what()));
  }
}

std::string Tokenizer::outline(std::string_view json, const std::string& name) {
  return TokenizerDocument(json, name).outline();
}

void Tokenizer::save(const TableSink& sink) const {
  pipeline_->model->save(sink);
}

void Tokenizer::encode(std::string_view text, const EncodeOptions& options, Encoding& out) const {
  Scratch& s = thread_scratch();
  const size_t budget = token_budget(options, n_special(false));
  out.n_invalid = pipeline_->tokenize(text, s, s.a);
  const size_t keep = keep_of_single(s.a.size(), budget, options.truncation);
  out.n_dropped = s.a.size() - keep;
  pipeline_->assemble(pipeline_->post.single, options, {text, cut(s.a, keep, options.truncate_left)}, {}, out);
  trim(s, text.size());
}

void Tokenizer::encode_pair(std::string_view a, std::string_view b, const EncodeOptions& options, Encoding& out) const {
  Scratch& s = thread_scratch();
  const size_t budget = token_budget(options, n_special(true));
  out.n_invalid = pipeline_->tokenize(a, s, s.a) + pipeline_->tokenize(b, s, s.b);
  const Kept keep = keep_of_pair(s.a.size(), s.b.size(), budget, options.truncation);
  out.n_dropped = s.a.size() + s.b.size() - keep.a - keep.b;
  pipeline_->assemble(pipeline_->post.pair, options, {a, cut(s.a, keep.a, options.truncate_left)},
                      {b, cut(s.b, keep.b, options.truncate_left)}, out);
  trim(s, a.size() + b.size());
}

std::vector<Encoding> Tokenizer::encode_windows(std::string_view text, const EncodeOptions& options) const {
  Scratch& s = thread_scratch();
  const size_t budget = token_budget(options, n_special(false));
  const size_t n_invalid = pipeline_->tokenize(text, s, s.a);
  const size_t keep = keep_of_single(s.a.size(), budget, options.truncation);
  std::vector<Encoding> windows;
  for (const Span window : token_windows(s.a.size(), keep, options.stride, options.truncate_left)) {
    Encoding& out = windows.emplace_back();
    out.n_invalid = n_invalid;
    out.n_dropped = s.a.size() - (window.end - window.begin);
    pipeline_->assemble(pipeline_->post.single, options, {text, cut(s.a, window)}, {}, out);
  }
  trim(s, text.size());
  return windows;
}

std::vector<Encoding> Tokenizer::encode_pair_windows(std::string_view a, std::string_view b,
                                                     const EncodeOptions& options) const {
  Scratch& s = thread_scratch();
  const size_t budget = token_budget(options, n_special(true));
  const size_t n_invalid = pipeline_->tokenize(a, s, s.a) + pipeline_->tokenize(b, s, s.b);
  const Kept keep = keep_of_pair(s.a.size(), s.b.size(), budget, options.truncation);
  std::vector<Encoding> windows;
  for (const auto& [in_a, in_b] :
       pair_windows(token_windows(s.a.size(), keep.a, options.stride, options.truncate_left),
                    token_windows(s.b.size(), keep.b, options.stride, options.truncate_left))) {
    Encoding& out = windows.emplace_back();
    out.n_invalid = n_invalid;
    out.n_dropped = s.a.size() + s.b.size() - (in_a.end - in_a.begin) - (in_b.end - in_b.begin);
    pipeline_->assemble(pipeline_->post.pair, options, {a, cut(s.a, in_a)}, {b, cut(s.b, in_b)}, out);
  }
  trim(s, a.size() + b.size());
  return windows;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  TokenDecoder decoder(*this, skip_special);
  std::string text;
  for (const int32_t id : ids) decoder.push(id, text);
  decoder.finish(text);
  return text;
}

struct TokenDecoder::Work {
  class Output final : public DecodeStep {
   public:
    void token(std::string part) override { text += part; }
    void finish() override {}
    std::string text;
  };
  const Tokenizer& tokenizer;
  bool skip_special;
  DecodeChain chain;
  Output output;

  void start() {
    chain = {};
    tokenizer.pipeline_->decoder->add_steps(chain);
    for (size_t i = 0; i < chain.steps.size(); ++i)
      chain.steps[i]->next = i + 1 < chain.steps.size() ? chain.steps[i + 1].get() : &output;
  }
  DecodeStep& first() { return chain.steps.empty() ? output : *chain.steps[0]; }
  void take(std::string& out) {
    out += output.text;
    output.text.clear();
  }
};

TokenDecoder::TokenDecoder(const Tokenizer& tokenizer, bool skip_special)
    : work_(new Work{tokenizer, skip_special, {}, {}}) {
  work_->start();
}
TokenDecoder::~TokenDecoder() = default;

void TokenDecoder::push(int32_t id, std::string& out) {
  const Tokenizer& t = work_->tokenizer;
  if (id < 0 || static_cast<size_t>(id) >= t.vocab_size()) return;
  if (work_->skip_special && t.pipeline_->added->is_special(id)) return;
  work_->first().token(std::string(t.piece(id)));
  work_->take(out);
}

void TokenDecoder::finish(std::string& out) {
  work_->first().finish();
  work_->take(out);
  work_->start();
}

size_t Tokenizer::vocab_size() const {
  return pipeline_->added->vocab_size();
}

std::string_view Tokenizer::piece(int32_t id) const {
  if (id < 0 || static_cast<size_t>(id) >= vocab_size()) return {};
  return pipeline_->piece(id);
}

int32_t Tokenizer::id(std::string_view piece) const {
  const int32_t id = pipeline_->model->vocab().find(piece);
  return id >= 0 ? id : pipeline_->added->find(piece);
}

size_t Tokenizer::n_special(bool pair) const {
  return pipeline_->post.n_special(pair);
}

std::optional<size_t> Tokenizer::file_max_length() const {
  if (!pipeline_->file_truncation) return std::nullopt;
  return pipeline_->file_truncation->max_length;
}

std::optional<EncodeOptions> Tokenizer::file_truncation() const {
  return pipeline_->file_truncation;
}

std::optional<Padding> Tokenizer::file_padding() const {
  return pipeline_->file_padding;
}

}  // namespace quern
