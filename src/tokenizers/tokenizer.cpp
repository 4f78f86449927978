// Encoding: texts and pairs through the pipeline, truncation, windows. See tokenizer.h.
#include "tokenizer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "spares.h"
#include "tokenizer_pipeline.h"
#include "truncation.h"

namespace quern {
namespace {

constexpr size_t long_text = size_t{16} << 10;  // bytes; what works on a text takes some 100 times as much at worst

// What one encoding works with, kept for the next one: the memory of a long text is given back.
class Scratch {
 public:
  explicit Scratch(size_t text_bytes) : lease_(spares().take()), long_(text_bytes > long_text) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    if (long_) *lease_ = TokenizerScratch();
  }
  TokenizerScratch& operator*() const { return *lease_; }

 private:
  static Spares<TokenizerScratch>& spares() {
    static Spares<TokenizerScratch> all;
    return all;
  }
  Spares<TokenizerScratch>::Lease lease_;
  bool long_;
};

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
  const Scratch scratch(text.size());
  TokenizerScratch& s = *scratch;
  const size_t budget = token_budget(options, n_special(false));
  out.n_invalid = pipeline_->tokenize(text, options.plain, s, s.a);
  const size_t keep = keep_of_single(s.a.size(), budget, options.truncation);
  out.n_dropped = s.a.size() - keep;
  pipeline_->assemble(pipeline_->post.single, options, {text, cut(s.a, keep, options.truncate_left)}, {}, out);
}

void Tokenizer::encode_pair(std::string_view a, std::string_view b, const EncodeOptions& options, Encoding& out) const {
  const Scratch scratch(a.size() + b.size());
  TokenizerScratch& s = *scratch;
  const size_t budget = token_budget(options, n_special(true));
  out.n_invalid = pipeline_->tokenize(a, options.plain, s, s.a) + pipeline_->tokenize(b, {}, s, s.b);
  const Kept keep = keep_of_pair(s.a.size(), s.b.size(), budget, options.truncation);
  out.n_dropped = s.a.size() + s.b.size() - keep.a - keep.b;
  pipeline_->assemble(pipeline_->post.pair, options, {a, cut(s.a, keep.a, options.truncate_left)},
                      {b, cut(s.b, keep.b, options.truncate_left)}, out);
}

std::vector<Encoding> Tokenizer::encode_windows(std::string_view text, const EncodeOptions& options) const {
  const Scratch scratch(text.size());
  TokenizerScratch& s = *scratch;
  const size_t budget = token_budget(options, n_special(false));
  const size_t n_invalid = pipeline_->tokenize(text, options.plain, s, s.a);
  const size_t keep = keep_of_single(s.a.size(), budget, options.truncation);
  std::vector<Encoding> windows;
  for (const Span window : token_windows(s.a.size(), keep, options.stride, options.truncate_left)) {
    Encoding& out = windows.emplace_back();
    out.n_invalid = n_invalid;
    out.n_dropped = s.a.size() - (window.end - window.begin);
    pipeline_->assemble(pipeline_->post.single, options, {text, cut(s.a, window)}, {}, out);
  }
  return windows;
}

std::vector<Encoding> Tokenizer::encode_pair_windows(std::string_view a, std::string_view b,
                                                     const EncodeOptions& options) const {
  const Scratch scratch(a.size() + b.size());
  TokenizerScratch& s = *scratch;
  const size_t budget = token_budget(options, n_special(true));
  const size_t n_invalid = pipeline_->tokenize(a, options.plain, s, s.a) + pipeline_->tokenize(b, {}, s, s.b);
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
  return windows;
}

size_t Tokenizer::vocab_size() const {
  return pipeline_->added->vocab_size();
}

std::string_view Tokenizer::piece(int32_t id) const {
  if (id < 0 || static_cast<size_t>(id) >= vocab_size()) return {};
  return pipeline_->piece(id);
}

bool Tokenizer::is_added(int32_t id) const {
  return pipeline_->added->is_added(id);
}

bool Tokenizer::is_special(int32_t id) const {
  return pipeline_->added->is_special(id);
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

bool Tokenizer::cuts_left() const {
  return pipeline_->file_truncation && pipeline_->file_truncation->truncate_left;
}

std::optional<EncodeOptions> Tokenizer::file_truncation() const {
  return pipeline_->file_truncation;
}

std::optional<Padding> Tokenizer::file_padding() const {
  return pipeline_->file_padding;
}

}  // namespace quern
