// Letters, digits and white space that do not depend on the locale.
#pragma once
#include <cstdint>
#include <span>
#include <string>

namespace quern {

// A to Z become a to z; every other byte stays as it is.
inline std::string ascii_lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

// Without the spaces, tabs and line ends around it.
inline std::string trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\r\n"), end = text.find_last_not_of(" \t\r\n");
  return begin == std::string::npos ? std::string() : text.substr(begin, end - begin + 1);
}

// Two lower-case digits for each byte.
inline std::string hex_digits(std::span<const uint8_t> bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : bytes) text += {digits[byte >> 4], digits[byte & 15]};
  return text;
}

}  // namespace quern
