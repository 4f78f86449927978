// Which tokens of a text that is too long stay, and the windows that all of it makes.
#pragma once
#include <utility>
#include <vector>

#include "json_field.h"
#include "tokenizer.h"

namespace quern {

// How many tokens of each text of a pair stay within budget. Throws Error bad_argument if the strategy cannot cut
// enough.
struct Kept {
  size_t a, b;
};
Kept keep_of_pair(size_t n_a, size_t n_b, size_t budget, Truncation strategy);
size_t keep_of_single(size_t n, size_t budget, Truncation strategy);

// Runs of at most `keep` of n tokens that share `stride` tokens with the one before. The first is what truncation
// keeps; the last ends where the text does (begins, from the left). Throws Error bad_argument if stride is not below
// keep, or the windows would hold more than 2^28 tokens.
std::vector<Span> token_windows(size_t n, size_t keep, size_t stride, bool from_left);

// The windows of a pair: both first ones, the others of a with each of b, then the first of a with the others of b.
std::vector<std::pair<Span, Span>> pair_windows(const std::vector<Span>& a, const std::vector<Span>& b);

// From the file's "truncation".
EncodeOptions read_truncation(const JsonField& field);

}  // namespace quern
