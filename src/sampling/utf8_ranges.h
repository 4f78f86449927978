// Ranges of characters as sequences of ranges of UTF-8 bytes (Thompson's construction, as in RE2 and Plan 9's grep).
#pragma once
#include <cstdint>

#include "tokenizers/utf8.h"

namespace quern {

struct Utf8Range {
  uint8_t n;  // bytes
  uint8_t first[4], last[4];
};

// Calls found(Utf8Range) for parts that together are the characters first … last; surrogates, which UTF-8 does not
// have, are left out.
template <class F>
void utf8_ranges(char32_t first, char32_t last, F&& found) {
  if (first > last) return;
  const auto split = [&](char32_t end) {  // at a border inside: the two sides apart
    if (first > end || last <= end) return false;
    utf8_ranges(first, end, found);
    utf8_ranges(end + 1, last, found);
    return true;
  };
  for (const char32_t end : {0x7F, 0x7FF, 0xD7FF, 0xDFFF, 0xFFFF})
    if (split(end)) return;
  if (first >= 0xD800 && last <= 0xDFFF) return;
  Utf8Range range;
  char low[4], high[4];
  range.n = static_cast<uint8_t>(encode_utf8(first, low));
  encode_utf8(last, high);
  // Below the first byte that differs, all continuations must be there.
  for (int bits = 6; bits < 6 * range.n; bits += 6) {
    const char32_t mask = (char32_t{1} << bits) - 1;
    if ((first & ~mask) == (last & ~mask)) break;
    if ((first & mask) != 0 && split(first | mask)) return;
    if ((last & mask) != mask && split((last & ~mask) - 1)) return;
  }
  for (int i = 0; i < range.n; ++i) {
    range.first[i] = static_cast<uint8_t>(low[i]);
    range.last[i] = static_cast<uint8_t>(high[i]);
  }
  found(range);
}

}  // namespace quern
