// Unigram. See unigram.h.
#include "unigram.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "byte_pieces.h"
#include "piece_trie.h"
#include "utf8.h"

namespace quern {
namespace {

constexpr double unknown_penalty = 10;

class Unigram final : public TokenModel {
 public:
  Unigram(const JsonField& field, TokenizerDocument& document);
  void tokenize(const Char* word, size_t n, ModelScratch& s, std::vector<Token>& out) const override;
  void save(const TableSink& sink) const override;

 private:
  using Step = ModelScratch::Step;
  void check_scores(const JsonField& field);
  void find_best_path(std::string_view text, std::vector<Step>& steps) const;
  void add_fused(std::string_view bytes, Token token, std::vector<Token>& out) const;

  PieceTrie trie_;
  PackedTable<double> scores_;
  double unknown_score_ = 0;
  std::string no_unknown_;                         // why a text with an unknown character cannot be encoded
  std::unique_ptr<const BytePieces> byte_pieces_;  // null without byte_fallback
};

Unigram::Unigram(const JsonField& field, TokenizerDocument& document) : TokenModel(std::move(document.vocab)) {
  const size_t n = vocab_.size();
  if (const auto unknown = field.find("unk_id")) {
    if (n == 0) unknown->fail("is given, but the vocab is empty");
    unknown_ = static_cast<int32_t>(unknown->integer(n - 1));
  }
  no_unknown_ = document.file + ": " + field.path() + " has no unk_id, and a text has a character that is in no piece";
  if (field.boolean_or("byte_fallback", false)) byte_pieces_ = std::make_unique<const BytePieces>(vocab_);
  if (document.tables == nullptr) {
    scores_ = PackedTable<double>(std::move(document.scores));
    trie_.build(vocab_);
  } else {
    scores_ = document.tables->get<double>("scores");
    if (scores_.size() != n) {
      document.tables->fail("scores",
                            "has " + std::to_string(scores_.size()) + " entries for " + std::to_string(n) + " pieces");
    }
    trie_.view(vocab_, *document.tables);
  }
  check_scores(field);
}

void Unigram::check_scores(const JsonField& field) {
  double least = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < scores_.size(); ++i) {
    if (!std::isfinite(scores_[i])) field.fail("vocab[" + std::to_string(i) + "] has a score that is not a number");
    least = std::min(least, scores_[i]);
  }
  unknown_score_ = least - unknown_penalty;
}

void Unigram::save(const TableSink& sink) const {
  TokenModel::save(sink);
  sink("scores", scores_.bytes());
  trie_.save(sink);
}

// For each place in text the last step of the best way there. A place that no way reaches keeps begin == no_step.
void Unigram::find_best_path(std::string_view text, std::vector<Step>& steps) const {
  steps.assign(text.size() + 1, Step{0, -1, Step::none});
  for (size_t at = 0; at < text.size();) {
    const size_t size = utf8_size(text[at]);
    const double before = steps[at].score;
    bool has_single = false;
    const auto offer = [&](size_t length, int32_t id, double score) {
      Step& step = steps[at + length];
      if (step.begin == Step::none || score > step.score) step = {score, id, static_cast<uint32_t>(at)};
    };
    trie_.prefixes(text.substr(at), [&](size_t length, int32_t id) {
      offer(length, id, scores_[static_cast<size_t>(id)] + before);
      has_single |= length == size;
    });
    if (!has_single) {
      if (unknown_ < 0 && (steps[at + size].begin == Step::none || unknown_score_ + before > steps[at + size].score))
        throw Error(Status::unsupported, no_unknown_);
      offer(size, unknown_, unknown_score_ + before);
    }
    at += size;
  }
}

// Of a run of unknown characters, which is one token unless it is a piece or can be spelled in bytes.
void Unigram::add_fused(std::string_view bytes, Token token, std::vector<Token>& out) const {
  token.id = vocab_.find(bytes);
  if (token.id >= 0 || byte_pieces_ == nullptr || !byte_pieces_->have(bytes)) {
    out.push_back({token.id >= 0 ? token.id : unknown_, token.begin, token.end});
    return;
  }
  for (const char byte : bytes) out.push_back({byte_pieces_->id(byte), token.begin, token.end});
}

void Unigram::tokenize(const Char* word, size_t n, ModelScratch& s, std::vector<Token>& out) const {
  word_bytes(word, n, true, s);
  const std::string_view text = s.bytes;
  find_best_path(text, s.steps);
  s.path.clear();
  for (uint32_t end = static_cast<uint32_t>(text.size()); end > 0; end = s.steps[end].begin) s.path.push_back(end);
  uint32_t begin = 0;
  for (size_t i = s.path.size(); i-- > 0;) {
    const int32_t id = s.steps[s.path[i]].id;
    if (id == unknown_ && i > 0 && s.steps[s.path[i - 1]].id == unknown_) continue;  // fused with the next
    const uint32_t end = s.path[i];
    const Token token = {id, word[s.char_of[begin]].begin, word[s.char_of[end - 1]].end};
    if (id == unknown_) {
      add_fused(text.substr(begin, end - begin), token, out);
    } else {
      out.push_back(token);
    }
    begin = end;
  }
}

}  // namespace

std::unique_ptr<const TokenModel> make_unigram(const JsonField& field, TokenizerDocument& document) {
  return std::make_unique<Unigram>(field, document);
}

}  // namespace quern
