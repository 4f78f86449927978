// What Python's str, repr() and float() do with text and numbers, character by character.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "chat/text.h"

namespace quern::chat {

// Of a character: white space (str.isspace), an end of a line (str.splitlines), str.isdigit and so on.
bool is_space(char32_t c);
bool is_line_end(char32_t c);
bool is_digit_char(char32_t c);
bool is_numeric_char(char32_t c);  // digits too
bool is_alpha_char(char32_t c);
bool is_printable_char(char32_t c);
bool is_cased_char(char32_t c);
bool is_upper_char(char32_t c);
bool is_lower_char(char32_t c);

// Without the white space, or the characters of `chars`, at an end.
std::string_view strip_left(std::string_view text);
std::string_view strip_right(std::string_view text);
std::string_view strip_left(std::string_view text, std::string_view chars);
std::string_view strip_right(std::string_view text, std::string_view chars);

Text upper(const Text& text);
Text lower(const Text& text);
Text title(const Text& text);       // str.title: letters behind anything uncased
Text capitalize(const Text& text);  // str.capitalize
Text swap_case(const Text& text);
std::string lower(std::string_view text);

// As literals: 'it', "it's", 1e+16.
std::string repr_string(std::string_view text);
std::string repr_real(double value);
// What the inside of a string literal stands for; nothing if an escape is broken or names no character.
std::optional<std::string> unescape(std::string_view inner);
// int(text, base) and float(text); nothing for what these refuse or 64 bits do not hold.
std::optional<int64_t> parse_integer(std::string_view text, int base);
std::optional<double> parse_real(std::string_view text);

}  // namespace quern::chat
