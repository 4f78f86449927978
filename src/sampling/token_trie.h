// All tokens of a vocabulary by their bytes, for asking at once which of them can come next. Immutable; made once per
// tokenizer (some 0.1 s for 262,144 tokens) and shared by all sequences.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

// A bit for each id.
using TokenSet = std::vector<uint64_t>;

class TokenTrie {
 public:
  struct Node {
    uint32_t after;        // the node after all below this one
    uint32_t first_token;  // of tokens(); those that end here go on to the next node's first_token
    uint16_t depth;        // bytes up to and with this one
    uint8_t byte;
  };
  // Nodes in depth-first order, with one at the end that is no node.
  struct Tree {
    std::vector<Node> nodes;
    std::vector<int32_t> tokens;
  };

  // bytes: what a token adds to a text, e.g. token_bytes(); tokens without bytes, and such of more than 4096, match
  // nothing. end_ids: end-of-generation tokens, whatever their bytes. Throws Error bad_argument: an end id out of
  // range.
  TokenTrie(size_t n_tokens, const std::function<std::string(int32_t)>& bytes, std::span<const int32_t> end_ids);

  size_t n_tokens() const { return begins_.size() - 1; }
  std::string_view bytes(int32_t id) const {  // of an id in range
    const size_t i = static_cast<size_t>(id);
    return std::string_view(blob_).substr(begins_[i], begins_[i + 1] - begins_[i]);
  }
  const std::vector<int32_t>& end_ids() const { return end_ids_; }
  bool is_end(int32_t id) const;

  // Tokens of plain text: at most max_plain whole valid characters, without control characters, quotation marks and
  // backslashes. In a JSON string these, most of a vocabulary, are told from their lengths alone: plain(n) has those of
  // at most n characters, and not_plain() is the tree of all other tokens.
  static constexpr size_t max_plain = 32;
  const TokenSet& plain(size_t n) const { return plain_[n]; }
  const Tree& all() const { return all_; }
  const Tree& not_plain() const { return not_plain_; }

 private:
  Tree build(std::vector<int32_t> ids) const;
  std::string blob_;
  std::vector<uint32_t> begins_;
  std::vector<int32_t> end_ids_;
  std::vector<TokenSet> plain_;
  Tree all_, not_plain_;
};

}  // namespace quern
