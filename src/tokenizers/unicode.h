// What the stages ask about a character. The answers are those of the reference library, whose stages mix
// Unicode versions: see tests/reference/make_unicode_tables.py. Not a general Unicode library.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace quern::unicode {

enum Flag : uint32_t {
  removed = 1 << 0,        // BertNormalizer's clean_text drops it
  to_space = 1 << 1,       // clean_text makes it a space
  bert_mark = 1 << 2,      // BertNormalizer's strip_accents drops it
  mark = 1 << 3,           // StripAccents drops it
  punctuation = 1 << 4,    // of BertPreTokenizer and Punctuation
  numeric = 1 << 5,        // of Digits
  word = 1 << 6,           // \w of Whitespace and single_word
  white_space = 1 << 7,    // \s of all
  cjk = 1 << 8,            // BertNormalizer puts spaces around it
  lowers = 1 << 9,         // lower() changes it
  decomposes = 1 << 10,    // NFD changes it
  nonstarter = 1 << 11,    // its combining class is not 0
  decomposes_k = 1 << 12,  // NFKD changes it
  alphabetic = 1 << 13,    // [[:alpha:]]
  uppercase = 1 << 14,     // [[:upper:]]
  lowercase = 1 << 15,     // [[:lower:]]
  pictographic = 1 << 20,  // Extended_Pictographic
  regex_word = 1 << 23,    // \w of regular expressions
  composes = 1 << 24,      // NFC may change it or what stands before it
  composes_k = 1 << 25,    // … NFKC
};

// Two steps: code >> 8 gives a block of 256 flag words. Beside the flags, a word holds the three small numbers below.
extern const uint16_t* const flag_index;
extern const uint32_t* const flag_blocks;

// code: at most 0x10FFFF.
inline uint32_t flags(char32_t code) noexcept {
  return flag_blocks[flag_index[code >> 8] * 256u + (code & 255)];
}

enum Category : uint8_t {
  Cn,
  Cc,
  Cf,
  Co,
  Cs,
  Lu,
  Ll,
  Lt,
  Lm,
  Lo,
  Mn,
  Mc,
  Me,
  Nd,
  Nl,
  No,
  Pc,
  Pd,
  Ps,
  Pe,
  Pi,
  Pf,
  Po,
  Sm,
  Sc,
  Sk,
  So,
  Zs,
  Zl,
  Zp
};
constexpr int n_categories = 30;
extern const char category_names[n_categories][3];

// Sets of categories, as bits.
using Categories = uint32_t;
template <class... C>
constexpr Categories categories(C... c) {
  return (... | (Categories{1} << c));
}
constexpr Categories letters = categories(Lu, Ll, Lt, Lm, Lo), marks = categories(Mn, Mc, Me),
                     numbers = categories(Nd, Nl, No), punctuations = categories(Pc, Pd, Ps, Pe, Pi, Pf, Po),
                     symbols = categories(Sm, Sc, Sk, So);

inline Category category(char32_t code) noexcept {
  return static_cast<Category>(flags(code) >> 27);
}
inline bool is_in(char32_t code, Categories set) noexcept {
  return (set >> (flags(code) >> 27) & 1) != 0;
}

// The classes of Unicode's grapheme clusters (UAX #29).
enum class Break : uint8_t { other, cr, lf, control, extend, zwj, regional, prepend, spacing, l, v, t, lv, lvt };
enum class Conjunct : uint8_t { none, consonant, extend, linker };

Break grapheme_break(char32_t code) noexcept;
inline Conjunct conjunct(char32_t code) noexcept {
  return static_cast<Conjunct>(flags(code) >> 21 & 3);
}

// The script as UnicodeScripts tells scripts apart, a small number; 0 goes with any other.
uint8_t script(char32_t code) noexcept;

struct Range {
  char32_t first, last;
  friend bool operator==(const Range&, const Range&) = default;
};
// The characters of a property that is not made of categories, such as a script, by its name in lower case; empty if
// it is not known.
std::span<const Range> named_set(std::string_view property) noexcept;

// The lower-case letter; U+0130 alone has two (i and U+0307), of which this is the first.
char32_t lower(char32_t code) noexcept;
constexpr char32_t dotted_capital_i = 0x130, combining_dot_above = 0x307;

uint8_t combining_class(char32_t code) noexcept;

// Full decomposition, written to out, and its length. A character that has none is copied. compatible: NFKD's.
constexpr int longest_decomposition = 18;
int decompose(char32_t code, bool compatible, char32_t out[longest_decomposition]) noexcept;

// The primary composite of two characters, or 0.
char32_t compose(char32_t first, char32_t second) noexcept;

}  // namespace quern::unicode
