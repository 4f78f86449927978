// Stripping, literals and numbers. See python_text.h.
#include "chat/python_text.h"

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "tokenizers/utf8.h"

namespace quern::chat {
namespace {

bool holds(std::string_view chars, std::string_view c) {
  for (size_t i = 0; i < chars.size(); i += utf8_size(chars[i]))
    if (chars.substr(i, utf8_size(chars[i])) == c) return true;
  return false;
}

template <class Drops>
std::string_view drop_left(std::string_view text, Drops drops) {
  while (!text.empty() && drops(text.substr(0, utf8_size(text[0])))) text.remove_prefix(utf8_size(text[0]));
  return text;
}

template <class Drops>
std::string_view drop_right(std::string_view text, Drops drops) {
  while (!text.empty()) {
    const size_t size = decode_utf8_before(text.data(), text.size()).size;
    if (!drops(text.substr(text.size() - size))) break;
    text.remove_suffix(size);
  }
  return text;
}

bool is_space_at(std::string_view c) {
  return is_space(decode_utf8(c.data()).code);
}

std::string hex(char32_t c, int digits) {
  std::string out;
  for (int i = digits - 1; i >= 0; --i) out += "0123456789abcdef"[c >> (4 * i) & 15];
  return out;
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 32);
  return lower >= 'a' && lower <= 'z' ? lower - 'a' + 10 : 99;
}

// Digits of an escape: at most `most` (at least one) of a base; the code and how many there were.
std::pair<char32_t, size_t> escape_digits(std::string_view text, size_t most, int base) {
  char32_t code = 0;
  size_t n = 0;
  while (n < most && n < text.size() && digit_of(text[n]) < base)
    code = code * static_cast<char32_t>(base) + static_cast<char32_t>(digit_of(text[n++]));
  return {code, n};
}

struct HexEscape {
  char letter;
  size_t digits;
};
constexpr HexEscape hex_escapes[] = {{'x', 2}, {'u', 4}, {'U', 8}};

// The text of a number without white space around it and single underscores within; nothing if these are elsewhere.
std::optional<std::string> clean_number(std::string_view text) {
  text = strip_right(strip_left(text));
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out += text[i];
    } else if (i == 0 || i + 1 == text.size() || digit_of(text[i - 1]) > 35 || digit_of(text[i + 1]) > 35) {
      return std::nullopt;
    }
  }
  return out;
}

}  // namespace

std::string_view strip_left(std::string_view text) {
  return drop_left(text, is_space_at);
}
std::string_view strip_right(std::string_view text) {
  return drop_right(text, is_space_at);
}
std::string_view strip_left(std::string_view text, std::string_view chars) {
  return drop_left(text, [&](std::string_view c) { return holds(chars, c); });
}
std::string_view strip_right(std::string_view text, std::string_view chars) {
  return drop_right(text, [&](std::string_view c) { return holds(chars, c); });
}

std::string repr_string(std::string_view text) {
  const bool has_single = text.find('\'') != std::string_view::npos,
             has_double = text.find('"') != std::string_view::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  std::string out(1, quote);
  for (size_t i = 0; i < text.size();) {
    const Utf8Char c = decode_utf8(text.data() + i);
    const std::string_view bytes = text.substr(i, c.size);
    i += c.size;
    const size_t named = std::u32string_view(U"\n\r\t").find(c.code);
    if (named != std::u32string_view::npos) {
      out += std::string("\\") + "nrt"[named];
    } else if (c.code == '\\' || c.code == static_cast<char32_t>(quote)) {
      out += std::string("\\") + static_cast<char>(c.code);
    } else if (is_printable_char(c.code)) {
      out += bytes;
    } else {
      out += c.code < 0x100     ? "\\x" + hex(c.code, 2)
             : c.code < 0x10000 ? "\\u" + hex(c.code, 4)
                                : "\\U" + hex(c.code, 8);
    }
  }
  return out + quote;
}

// The shortest digits that read back as the same number; an exponent below 1e-4 and from 1e16 on.
std::string repr_real(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[64];
  const double magnitude = std::fabs(value);
  const bool exponent = magnitude != 0 && (magnitude < 1e-4 || magnitude >= 1e16);
  const auto format = exponent ? std::chars_format::scientific : std::chars_format::fixed;
  std::string out(buffer, std::to_chars(buffer, buffer + sizeof buffer, value, format).ptr);
  if (!exponent && out.find('.') == std::string::npos) out += ".0";
  return out;
}

std::optional<std::string> unescape(std::string_view inner) {
  constexpr std::string_view letters = "abfnrtv\\'\"", values = "\a\b\f\n\r\t\v\\'\"";
  std::string out;
  const auto put = [&out](char32_t c) {
    if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) return false;
    char utf8[4];
    out.append(utf8, encode_utf8(c, utf8));
    return true;
  };
  for (size_t i = 0; i < inner.size(); ++i) {
    if (inner[i] != '\\' || i + 1 == inner.size()) {
      out += inner[i];
      continue;
    }
    const char c = inner[++i];
    if (c == '\n') continue;  // goes on in the next line
    if (const size_t at = letters.find(c); at != std::string_view::npos) {
      out += values[at];
      continue;
    }
    if (c >= '0' && c <= '7') {
      const auto [code, n] = escape_digits(inner.substr(i), 3, 8);
      put(code);
      i += n - 1;
      continue;
    }
    const HexEscape* known = nullptr;
    for (const HexEscape& e : hex_escapes)
      if (e.letter == c) known = &e;
    if (!known) {  // stays as it is
      if (c == 'N') return std::nullopt;
      out += '\\';
      out += c;
      continue;
    }
    const auto [code, n] = escape_digits(inner.substr(i + 1), known->digits, 16);
    if (n != known->digits || !put(code)) return std::nullopt;
    i += n;
  }
  return out;
}

std::optional<int64_t> parse_integer(std::string_view text, int base) {
  std::optional<std::string> clean = clean_number(text);
  if (!clean || clean->empty() || base < 0 || base == 1 || base > 36) return std::nullopt;
  std::string_view digits = *clean;
  const bool negative = digits[0] == '-';
  if (negative || digits[0] == '+') digits.remove_prefix(1);
  constexpr std::pair<char, int> prefixes[] = {{'x', 16}, {'o', 8}, {'b', 2}};
  for (const auto& [letter, prefix_base] : prefixes) {
    if (digits.size() < 3 || digits[0] != '0' || (digits[1] | 32) != letter) continue;
    if (base != 0 && base != prefix_base) continue;
    digits.remove_prefix(2);
    base = prefix_base;
    break;
  }
  const std::string signed_digits = (negative ? "-" : "") + std::string(digits);
  if (digits.empty() || digit_of(digits[0]) > 35) return std::nullopt;
  int64_t value = 0;
  const char* end = signed_digits.data() + signed_digits.size();
  const auto result = std::from_chars(signed_digits.data(), end, value, base == 0 ? 10 : base);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return value;
}

std::optional<double> parse_real(std::string_view text) {
  std::optional<std::string> clean = clean_number(text);
  if (!clean || clean->empty()) return std::nullopt;
  std::string_view digits = *clean;
  if (digits[0] == '+') digits.remove_prefix(1);
  if (digits.empty() || digits[0] == '+') return std::nullopt;
  double value = 0;
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (result.ptr != digits.data() + digits.size() || digits.find('(') != std::string_view::npos) return std::nullopt;
  if (result.ec == std::errc::result_out_of_range) return std::strtod(std::string(digits).c_str(), nullptr);
  return value;
}

}  // namespace quern::chat
