// Padding: encodings of one length, for callers that want a rectangle. quern's own models take none.
#pragma once
#include <span>

#include "json_field.h"
#include "tokenizer.h"

namespace quern {

// Throws Error bad_argument if the padded length is above 2^31.
void pad(std::span<Encoding> batch, const Padding& padding);

// From the file's "padding".
Padding read_padding(const JsonField& field);

}  // namespace quern
