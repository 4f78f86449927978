// See token_trie.h.
#include "token_trie.h"

#include <algorithm>

#include "error.h"
#include "tokenizers/utf8.h"

namespace quern {
namespace {

constexpr size_t max_token_bytes = 4096;

// The characters of a plain text; 0 for others.
size_t plain_length(std::string_view bytes) {
  const bool plain_ascii = std::all_of(bytes.begin(), bytes.end(), [](char c) {
    const uint8_t byte = static_cast<uint8_t>(c);
    return byte >= 0x20 && byte != 0x7F && byte != '"' && byte != '\\';
  });
  if (!plain_ascii || find_invalid_utf8(bytes) != bytes.size()) return 0;
  const auto is_start = [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; };
  const size_t n = static_cast<size_t>(std::count_if(bytes.begin(), bytes.end(), is_start));
  return n <= TokenTrie::max_plain ? n : 0;
}

}  // namespace

TokenTrie::TokenTrie(size_t n_tokens, const std::function<std::string(int32_t)>& bytes,
                     std::span<const int32_t> end_ids)
    : begins_(1, 0), end_ids_(end_ids.begin(), end_ids.end()), plain_(max_plain + 1, TokenSet((n_tokens + 63) / 64)) {
  std::sort(end_ids_.begin(), end_ids_.end());
  for (const int32_t id : end_ids_) {
    if (id < 0 || static_cast<size_t>(id) >= n_tokens) {
      throw Error(Status::bad_argument, "the end-of-generation token " + std::to_string(id) + " is not one of 0 to " +
                                            std::to_string(n_tokens) + " - 1");
    }
  }
  std::vector<int32_t> ids, not_plain;
  for (size_t i = 0; i < n_tokens; ++i) {
    const int32_t id = static_cast<int32_t>(i);
    const std::string text = is_end(id) ? "" : bytes(id);
    if (!text.empty() && text.size() <= max_token_bytes) {
      blob_ += text;
      ids.push_back(id);
      const size_t n = plain_length(text);
      if (n == 0) not_plain.push_back(id);
      for (size_t at_most = n; n > 0 && at_most <= max_plain; ++at_most)
        plain_[at_most][i / 64] |= uint64_t{1} << i % 64;
    }
    begins_.push_back(static_cast<uint32_t>(blob_.size()));
  }
  all_ = build(std::move(ids));
  not_plain_ = build(std::move(not_plain));
}

bool TokenTrie::is_end(int32_t id) const {
  return std::binary_search(end_ids_.begin(), end_ids_.end(), id);
}

TokenTrie::Tree TokenTrie::build(std::vector<int32_t> ids) const {
  std::sort(ids.begin(), ids.end(), [&](int32_t a, int32_t b) {
    const int order = bytes(a).compare(bytes(b));
    return order != 0 ? order < 0 : a < b;
  });
  Tree tree;
  std::vector<uint32_t> open;  // the nodes on the way to the token before
  std::string_view before;
  const auto close = [&](size_t depth) {
    for (; open.size() > depth; open.pop_back())
      tree.nodes[open.back()].after = static_cast<uint32_t>(tree.nodes.size());
  };
  for (size_t i = 0; i < ids.size(); ++i) {
    const std::string_view text = bytes(ids[i]);
    size_t depth = 0;
    while (depth < text.size() && depth < before.size() && text[depth] == before[depth]) ++depth;
    close(depth);
    for (; depth < text.size(); ++depth) {
      open.push_back(static_cast<uint32_t>(tree.nodes.size()));
      tree.nodes.push_back(
          {0, static_cast<uint32_t>(i), static_cast<uint16_t>(depth + 1), static_cast<uint8_t>(text[depth])});
    }
    before = text;
  }
  close(0);
  const uint32_t n_nodes = static_cast<uint32_t>(tree.nodes.size());
  tree.nodes.push_back({n_nodes, static_cast<uint32_t>(ids.size()), 0, 0});
  tree.tokens = std::move(ids);
  return tree;
}

}  // namespace quern
