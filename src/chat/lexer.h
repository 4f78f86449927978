// A template's source to tokens, with jinja2's rules for white space under trim_blocks and lstrip_blocks.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quern::chat {

enum class TokenKind : uint8_t {
  data,
  block_begin,
  block_end,
  variable_begin,
  variable_end,
  name,
  string,
  integer,
  real,
  symbol,
  end,
};

struct Token {
  TokenKind kind;
  uint32_t line;
  std::string text;  // of a string: what it stands for
};

// source: valid UTF-8. name is for messages. Throws Error bad_file.
std::vector<Token> tokenize(std::string_view source, const std::string& name);

[[noreturn]] void fail_syntax(const std::string& name, uint32_t line, const std::string& what);

}  // namespace quern::chat
