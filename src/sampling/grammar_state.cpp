// See grammar_state.h.
#include "grammar_state.h"

#include <bit>
#include <limits>

#include "error.h"

namespace quern {
namespace {

constexpr size_t max_kept_sets = 64;  // 32 KiB each for 262,144 tokens
constexpr float minus_infinity = -std::numeric_limits<float>::infinity();

}  // namespace

GrammarState::GrammarState(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const TokenTrie> tokens)
    : tokens_(std::move(tokens)), matcher_(std::move(grammar)), config_(matcher_.start()) {
  if (config_ == GrammarMatcher::dead) {
    fail_grammar("its rules call each other more than " + std::to_string(GrammarMatcher::max_stack) +
                 " deep before anything is read");
  }
}

// Sets the bits of the tokens of a tree that can come next. Tokens with the same beginning take its steps once.
void GrammarState::walk(const TokenTrie::Tree& tree, TokenSet& out) {
  path_.assign(1, config_);
  const size_t n_nodes = tree.nodes.size() - 1;
  for (size_t i = 0; i < n_nodes;) {
    const TokenTrie::Node& node = tree.nodes[i];
    const GrammarMatcher::Config config = matcher_.next(path_[node.depth - 1u], node.byte);
    if (config == GrammarMatcher::dead) {
      i = node.after;
      continue;
    }
    for (uint32_t t = node.first_token; t < tree.nodes[i + 1].first_token; ++t) {
      const uint32_t id = static_cast<uint32_t>(tree.tokens[t]);
      out[id / 64] |= uint64_t{1} << id % 64;
    }
    if (path_.size() <= node.depth) path_.resize(node.depth + 1u);
    path_[node.depth] = config;
    ++i;
  }
}

const TokenSet& GrammarState::allowed() {
  if (const auto found = allowed_.find(config_); found != allowed_.end()) return found->second;
  if (allowed_.size() >= max_kept_sets) allowed_.clear();
  // How many plain characters can come, whichever they are; behind them, none may be, or the tree has to be walked.
  size_t n_plain = 0;
  GrammarMatcher::Config behind = matcher_.after_plain(config_);
  for (GrammarMatcher::Config at = config_; behind != GrammarMatcher::dead && behind != GrammarMatcher::mixed;) {
    if (behind == at || ++n_plain == TokenTrie::max_plain) {
      n_plain = TokenTrie::max_plain;
      behind = GrammarMatcher::dead;
      break;
    }
    at = behind;
    behind = matcher_.after_plain(at);
  }
  TokenSet set = tokens_->plain(behind == GrammarMatcher::dead ? n_plain : 0);
  walk(behind == GrammarMatcher::dead ? tokens_->not_plain() : tokens_->all(), set);
  if (complete()) {
    for (const int32_t id : tokens_->end_ids()) set[static_cast<size_t>(id) / 64] |= uint64_t{1} << id % 64;
  }
  return allowed_[config_] = std::move(set);
}

void GrammarState::mask(std::span<float> logits) {
  if (ended_) {
    for (size_t i = 0; i < logits.size(); ++i)
      if (!tokens_->is_end(static_cast<int32_t>(i))) logits[i] = minus_infinity;
    return;
  }
  const TokenSet& set = allowed();
  for (size_t begin = 0; begin < logits.size(); begin += 64) {
    uint64_t refused = begin / 64 < set.size() ? ~set[begin / 64] : ~uint64_t{0};
    if (logits.size() - begin < 64) refused &= (uint64_t{1} << (logits.size() - begin)) - 1;
    for (; refused != 0; refused &= refused - 1)
      logits[begin + static_cast<size_t>(std::countr_zero(refused))] = minus_infinity;
  }
}

GrammarMatcher::Config GrammarState::after(std::string_view bytes) {
  GrammarMatcher::Config config = bytes.empty() ? GrammarMatcher::dead : config_;
  for (const char byte : bytes) {
    if (config == GrammarMatcher::dead) break;
    config = matcher_.next(config, static_cast<uint8_t>(byte));
  }
  return config;
}

bool GrammarState::allows(int32_t id) {
  if (id < 0 || static_cast<size_t>(id) >= tokens_->n_tokens()) return false;
  if (tokens_->is_end(id)) return ended_ || complete();
  return !ended_ && after(tokens_->bytes(id)) != GrammarMatcher::dead;
}

void GrammarState::accept(int32_t id) {
  if (!allows(id)) fail_grammar("the token " + std::to_string(id) + " cannot come here");
  if (tokens_->is_end(id)) {
    ended_ = true;
    return;
  }
  const uint32_t n_trimmed = matcher_.trimmed();
  config_ = matcher_.trim(after(tokens_->bytes(id)));
  if (matcher_.trimmed() != n_trimmed) allowed_.clear();
}

}  // namespace quern
