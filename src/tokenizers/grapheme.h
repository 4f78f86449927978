// Where grapheme clusters end (Unicode 17, UAX #29, extended clusters).
#pragma once
#include <cstddef>

#include "text.h"

namespace quern {

// The end of the cluster that starts at text[begin]; begin < n.
size_t grapheme_end(const Char* text, size_t n, size_t begin) noexcept;

}  // namespace quern
