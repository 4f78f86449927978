// Classes of characters and letters' case. See python_text.h.
#include <algorithm>
#include <iterator>

#include "chat/python_text.h"
#include "tokenizers/unicode.h"
#include "tokenizers/utf8.h"

namespace quern::chat {
namespace {

// Characters first, first + stride … last become themselves + delta.
struct CaseRun {
  char32_t first, last, stride;
  int32_t delta;
};
struct LongCase {
  char32_t code;
  char32_t becomes[3];
};
struct CodeRange {
  char32_t first, last;
};

#include "chat/case_data.inc"

constexpr char32_t capital_sigma = 0x3A3, final_sigma = 0x3C2;

template <class Table>
bool in_ranges(const Table& table, char32_t c) {
  const auto after = std::upper_bound(std::begin(table), std::end(table), c,
                                      [](char32_t x, const CodeRange& r) { return x < r.first; });
  return after != std::begin(table) && c <= std::prev(after)->last;
}

template <class Table>
char32_t mapped(const Table& table, char32_t c) {
  auto run =
      std::upper_bound(std::begin(table), std::end(table), c, [](char32_t x, const CaseRun& r) { return x < r.first; });
  // Runs of every second character may interleave: the one that holds c is one of the last two that begin before it.
  for (int i = 0; i < 2 && run != std::begin(table); ++i) {
    --run;
    if (c <= run->last && (c - run->first) % run->stride == 0)
      return static_cast<char32_t>(static_cast<int32_t>(c) + run->delta);
  }
  return c;
}

template <class Table>
const LongCase* find_long(const Table& table, char32_t c) {
  for (const LongCase& entry : table)
    if (entry.code == c) return &entry;
  return nullptr;
}

using Case = void (*)(char32_t c, std::u32string& out);

void put_long(const LongCase& entry, std::u32string& out) {
  for (const char32_t c : entry.becomes)
    if (c) out += c;
}

void put_upper(char32_t c, std::u32string& out) {
  const LongCase* special = c < 128 ? nullptr : find_long(upper_long, c);
  if (special) return put_long(*special, out);
  out += mapped(upper_runs, c);
}

void put_lower(char32_t c, std::u32string& out) {
  const LongCase* special = c < 128 ? nullptr : find_long(lower_long, c);
  if (special) return put_long(*special, out);
  out += mapped(lower_runs, c);
}

void put_title(char32_t c, std::u32string& out) {
  const LongCase* special = c < 128 ? nullptr : find_long(title_other, c);
  if (special) return put_long(*special, out);
  put_upper(c, out);
}

void put_same(char32_t c, std::u32string& out) {
  out += c;
}

bool is_case_ignorable(char32_t c) {
  using namespace unicode;
  constexpr Categories set = categories(Mn, Me, Cf, Lm, Sk);
  constexpr char32_t others[] = {'\'', '.', ':', 0xB7, 0x387, 0x55F, 0x5F4, 0x2018, 0x2019, 0x2024, 0x2027};
  return is_in(c, set) || std::find(std::begin(others), std::end(others), c) != std::end(others);
}

// Whether the sigma that begins at `at` ends a word.
bool is_final_sigma(std::string_view text, size_t at) {
  size_t before = at;
  char32_t c = 0;
  while (before > 0) {
    const Utf8Char previous = decode_utf8_before(text.data(), before);
    before -= previous.size;
    c = previous.code;
    if (!is_case_ignorable(c)) break;
  }
  if (c == 0 || !is_cased_char(c)) return false;
  for (size_t i = at + utf8_size(text[at]); i < text.size();) {
    const Utf8Char next = decode_utf8(text.data() + i);
    if (!is_case_ignorable(next.code)) return !is_cased_char(next.code);
    i += next.size;
  }
  return true;
}

// choose: the case of a character, by the one before it and whether it is the first.
template <class Choose>
Text recase(const Text& text, Choose choose) {
  Text out;
  const std::string& bytes = text.bytes();
  std::u32string becomes;
  char32_t previous = 0;
  size_t at = 0;
  for (const Text::Run& run : text.runs()) {
    std::string part;
    while (at < run.end) {
      const Utf8Char c = decode_utf8(bytes.data() + at);
      becomes.clear();
      const Case put = choose(c.code, previous, at == 0);
      put(c.code, becomes);
      if (c.code == capital_sigma && put == put_lower && is_final_sigma(bytes, at)) becomes = final_sigma;
      for (const char32_t b : becomes) {
        char utf8[4];
        part.append(utf8, encode_utf8(b, utf8));
      }
      previous = c.code;
      at += c.size;
    }
    out.append(part, run.from_user);
  }
  return out;
}

}  // namespace

bool is_space(char32_t c) {
  if (c < 128) return c == ' ' || (c >= 9 && c <= 13) || (c >= 28 && c <= 31);
  constexpr char32_t others[] = {0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000};
  return (c >= 0x2000 && c <= 0x200A) || std::find(std::begin(others), std::end(others), c) != std::end(others);
}
bool is_line_end(char32_t c) {
  return (c >= 10 && c <= 13) || (c >= 28 && c <= 30) || c == 0x85 || c == 0x2028 || c == 0x2029;
}
bool is_digit_char(char32_t c) {
  return in_ranges(digit_ranges, c);
}
bool is_numeric_char(char32_t c) {
  return is_digit_char(c) || in_ranges(numeric_ranges, c);
}
bool is_alpha_char(char32_t c) {
  return in_ranges(alpha_ranges, c);
}
bool is_printable_char(char32_t c) {
  return !in_ranges(unprintable_ranges, c);
}
bool is_cased_char(char32_t c) {
  return in_ranges(cased_ranges, c);
}
bool is_upper_char(char32_t c) {
  const bool has_lower = mapped(lower_runs, c) != c || (c >= 128 && find_long(lower_long, c));
  return is_cased_char(c) && unicode::category(c) != unicode::Lt && has_lower;
}
bool is_lower_char(char32_t c) {
  return is_cased_char(c) && unicode::category(c) != unicode::Lt && !is_upper_char(c);
}

Text upper(const Text& text) {
  return recase(text, [](char32_t, char32_t, bool) -> Case { return put_upper; });
}
Text lower(const Text& text) {
  return recase(text, [](char32_t, char32_t, bool) -> Case { return put_lower; });
}
Text title(const Text& text) {
  return recase(text,
                [](char32_t, char32_t before, bool) -> Case { return is_cased_char(before) ? put_lower : put_title; });
}
Text capitalize(const Text& text) {
  return recase(text, [](char32_t, char32_t, bool first) -> Case { return first ? put_title : put_lower; });
}
Text swap_case(const Text& text) {
  return recase(text, [](char32_t c, char32_t, bool) -> Case {
    return is_upper_char(c) ? put_lower : is_lower_char(c) ? put_upper : put_same;
  });
}
std::string lower(std::string_view text) {
  return lower(Text(text, false)).bytes();
}

}  // namespace quern::chat
