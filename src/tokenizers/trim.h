// Offsets without the white space that a token has at its ends.
#pragma once
#include <string_view>

#include "tokenizer.h"

namespace quern {

// The offsets, in bytes of text, of a token whose own characters are value. As the reference does, each white-space
// character (or ByteLevel's name of the space) at an end of value takes one character of the text from that end,
// whatever the character is. keep_prefix: a single one at the beginning was put in and takes nothing.
Span trim_offsets(std::string_view text, Span offsets, std::string_view value, bool keep_prefix);

}  // namespace quern
