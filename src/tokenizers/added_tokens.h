// Added tokens: strings that become one token wherever they stand in the text, before (or after) normalization and
// whatever the model would make of them.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "json_field.h"
#include "normalizer.h"
#include "vocabulary.h"

namespace quern {

struct AddedToken {
  std::string content;
  int32_t id;
  bool single_word;     // only where no \w stands before or behind
  bool lstrip, rstrip;  // takes the white space before, behind
  bool normalized;      // looked for in the normalized text
  bool special;         // never recognized in plain bytes
};

// A part of a text: a token, or text between tokens.
struct TextPart {
  Span bytes;
  int32_t id;  // -1: text
};

// Finds, from left to right, the longest token at the first place where any starts.
class TokenMatcher {
 public:
  // Of equal contents the first token counts; empty ones are never found.
  void build(std::vector<AddedToken> tokens);
  bool empty() const { return tokens_.empty(); }
  // The parts of a valid UTF-8 text, in order and not empty. plain: ranges in order and apart, where no special token
  // is.
  void split(std::string_view text, std::span<const Span> plain, std::vector<TextPart>& out) const;

 private:
  const AddedToken* match(std::string_view text, size_t at, size_t special_end) const;
  size_t find_start(std::string_view text, size_t from) const;
  std::vector<AddedToken> tokens_;  // by content
  bool starts_[256] = {};
  int only_start_ = -1;  // the byte that all contents start with, if there is only one
};

class AddedTokens {
 public:
  // From the array "added_tokens", if any. A token in the vocabulary has its id; others get the next free ones.
  AddedTokens(const std::optional<JsonField>& field, const Vocabulary& vocab, const Normalizer* normalizer);

  TokenMatcher raw, normalized;
  size_t vocab_size() const { return vocab_size_ + extra_.size(); }
  int32_t find(std::string_view content) const;  // of those outside the vocabulary; -1 when absent
  bool is_added(int32_t id) const { return id >= static_cast<int32_t>(vocab_size_) || is_special(id); }
  bool is_special(int32_t id) const { return special_ids_.contains(id); }
  bool takes_space(int32_t id) const { return spaced_ids_.contains(id); }  // lstrip or rstrip
  std::string_view piece(int32_t id) const { return extra_[static_cast<size_t>(id) - vocab_size_]; }

 private:
  size_t vocab_size_;
  std::unordered_set<int32_t> special_ids_, spaced_ids_;
  std::vector<std::string> extra_;  // tokens outside the vocabulary, by id
};

}  // namespace quern
