// Guesses at the next tokens from the sequence itself: what followed the last time that it went like this (prompt
// lookup decoding). For texts that repeat their prompt: summaries, edits, code.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "generation/drafter.h"

namespace quern {

struct PromptLookupOptions {
  int max_ngram = 3, min_ngram = 1;  // 1 … 8; so many last tokens have to have occurred before, longer ones first
};

// Belongs to one sequence. Takes 4 bytes a token and 128 KiB for each length of n-gram.
class PromptLookup final : public Drafter {
 public:
  // Throws Error bad_argument that names the option.
  explicit PromptLookup(const PromptLookupOptions& options = {});

  void add(std::span<const int32_t> ids) override;  // constant time each
  // Without an earlier occurrence there are none. Of several, the last counts.
  void propose(size_t n, std::vector<int32_t>& draft) override;

 private:
  size_t slot(size_t length, size_t end) const;
  size_t min_, max_;
  std::vector<int32_t> tokens_;
  // For each length: by the n-gram's hash, where the token behind its last occurrence is. 0: nowhere. An n-gram may
  // have been driven out by another, so the tokens are compared.
  std::vector<std::vector<uint32_t>> behind_;
};

}  // namespace quern
