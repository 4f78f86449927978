// What the stages ask about a character. The answers are those of the reference library, whose stages mix
// Unicode versions: see tests/reference/make_unicode_tables.py. Not a general Unicode library.
#pragma once
#include <cstdint>
#include <string_view>

namespace quern::unicode {

enum Flag : uint16_t {
  removed = 1 << 0,      // BertNormalizer's clean_text drops it
  to_space = 1 << 1,     // clean_text makes it a space
  bert_mark = 1 << 2,    // BertNormalizer's strip_accents drops it
  mark = 1 << 3,         // StripAccents drops it
  punctuation = 1 << 4,  // of BertPreTokenizer and Punctuation
  numeric = 1 << 5,      // of Digits
  word = 1 << 6,         // \w
  white_space = 1 << 7,  // \s
  cjk = 1 << 8,          // BertNormalizer puts spaces around it
  lowers = 1 << 9,       // lower() changes it
  decomposes = 1 << 10,  // NFD changes it
  nonstarter = 1 << 11,  // its combining class is not 0
};

// Two steps: code >> 8 gives a block of 256 flag words.
extern const uint16_t* const flag_index;
extern const uint16_t* const flag_blocks;

// code: at most 0x10FFFF.
inline uint16_t flags(char32_t code) noexcept {
  return flag_blocks[flag_index[code >> 8] * 256u + (code & 255)];
}

// The lower-case letter; U+0130 alone has two (i and U+0307), of which this is the first.
char32_t lower(char32_t code) noexcept;
constexpr char32_t dotted_capital_i = 0x130, combining_dot_above = 0x307;

uint8_t combining_class(char32_t code) noexcept;

// Full canonical decomposition, written to out; its length, at most 4. A character that has none is copied.
int decompose(char32_t code, char32_t out[4]) noexcept;

// The primary composite of two characters, or 0.
char32_t compose(char32_t first, char32_t second) noexcept;

}  // namespace quern::unicode
