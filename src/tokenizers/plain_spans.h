// The ranges of a text in which special tokens are not recognized (EncodeOptions::plain).
#pragma once
#include <span>
#include <vector>

#include "tokenizer.h"
#include "utf8.h"

namespace quern {

// Throws Error bad_argument unless they are in order, apart or adjoining, and within the text.
void check_plain_spans(std::span<const Span> plain, size_t text_size);
// From the original to its repaired copy; what was replaced in part is covered as a whole.
void move_to_copy(std::vector<Span>& plain, const RepairedUtf8& repaired);
// Whether a range has a plain byte; one without bytes, whether it stands at one.
bool touches_plain(std::span<const Span> plain, Span range);

}  // namespace quern
