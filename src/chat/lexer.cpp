// Data, tags and what stands in tags. See lexer.h.
#include "chat/lexer.h"

#include <algorithm>
#include <optional>

#include "chat/python_text.h"
#include "error.h"
#include "io/json.h"
#include "tokenizers/utf8.h"

namespace quern::chat {
namespace {

constexpr size_t max_tokens = size_t{1} << 20;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// Of regular expressions' \s, on bytes; templates have no other white space outside of strings.
bool is_tag_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f);
}

class Lexer {
 public:
  Lexer(std::string source, const std::string& name) : source_(std::move(source)), name_(name) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) data();
    put(TokenKind::end, "");
    return std::move(tokens_);
  }

 private:
  bool starts(std::string_view what, size_t at) const { return std::string_view(source_).substr(at).starts_with(what); }

  void put(TokenKind kind, std::string text) {
    if (tokens_.size() >= max_tokens) fail("has more than a million tokens");
    tokens_.push_back({kind, line_, std::move(text)});
  }

  [[noreturn]] void fail(const std::string& what) const { fail_syntax(name_, line_, what); }

  void advance_to(size_t end) {
    line_ += static_cast<uint32_t>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                                              source_.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
    line_starting_ = end > 0 && source_[end - 1] == '\n';
    at_ = end;
  }

  size_t skip_space(size_t at) const {
    while (at < source_.size() && is_tag_space(source_[at])) ++at;
    return at;
  }

  // The text from `begin` to a tag at `end`, without the white space that the tag's sign or lstrip_blocks takes.
  void put_data(size_t begin, size_t end, char sign, bool is_variable, bool line_starting) {
    std::string_view text = std::string_view(source_).substr(begin, end - begin);
    if (sign == '-') {
      text = strip_right(text);
    } else if (sign != '+' && !is_variable) {
      const size_t line = text.rfind('\n') + 1;
      const bool at_line = line > 0 || line_starting;
      const bool blank = line < text.size() && strip_right(text.substr(line)).empty();
      if (at_line && blank) text = text.substr(0, line);
    }
    if (!text.empty()) put(TokenKind::data, std::string(text));
  }

  // The end of a raw tag's head that begins at `at`, if one does: {% raw %}.
  std::optional<size_t> raw_head(size_t at) const {
    if (!starts("{%", at)) return std::nullopt;
    size_t i = at + 2;
    if (i < source_.size() && (source_[i] == '-' || source_[i] == '+')) ++i;
    i = skip_space(i);
    if (!starts("raw", i)) return std::nullopt;
    i = skip_space(i + 3);
    if (starts("-%}", i)) return skip_space(i + 3);
    if (starts("%}", i)) return i + 2;
    return std::nullopt;
  }

  char sign_at(size_t at) const {
    const char c = at < source_.size() ? source_[at] : '\0';
    return c == '-' || c == '+' ? c : '\0';
  }

  void data() {
    size_t tag = at_;
    do {
      tag = source_.find('{', tag);
      if (tag == std::string::npos || tag + 1 >= source_.size()) tag = source_.size();
      if (tag == source_.size() || std::string_view("{%#").find(source_[tag + 1]) != std::string_view::npos) break;
      ++tag;
    } while (true);
    if (tag == source_.size()) {
      put(TokenKind::data, source_.substr(at_));
      return advance_to(tag);
    }
    const char kind = source_[tag + 1];
    const char sign = sign_at(tag + 2);
    put_data(at_, tag, sign, kind == '{', line_starting_);
    advance_to(tag);
    if (const auto head = raw_head(tag)) return raw(*head);
    advance_to(tag + 2 + (sign != '\0'));
    if (kind == '#') return comment();
    put(kind == '{' ? TokenKind::variable_begin : TokenKind::block_begin, "");
    inside(kind == '{' ? "}}" : "%}");
  }

  // The end of a tag's closing mark at `at`, with the white space that it takes; nothing if there is none.
  std::optional<size_t> closing(size_t at, std::string_view mark) const {
    const bool variable = mark == "}}";
    if (starts("-", at) && starts(mark, at + 1)) return skip_space(at + 1 + mark.size());
    if (!variable && starts("+", at) && starts(mark, at + 1)) return at + 1 + mark.size();
    if (!starts(mark, at)) return std::nullopt;
    const size_t end = at + mark.size();
    return !variable && end < source_.size() && source_[end] == '\n' ? end + 1 : end;
  }

  void comment() {
    const uint32_t line = line_;
    for (size_t i = source_.find("#}", at_); i != std::string::npos; i = source_.find("#}", i + 1)) {
      const bool signed_end = i > at_ && (source_[i - 1] == '-' || source_[i - 1] == '+');
      return advance_to(*closing(i - signed_end, "#}"));
    }
    fail_syntax(name_, line, "a comment has no end");
  }

  void raw(size_t begin) {
    const uint32_t line = line_;
    advance_to(begin);
    for (size_t i = source_.find("{%", at_); i != std::string::npos; i = source_.find("{%", i + 1)) {
      const char sign = sign_at(i + 2);
      const size_t word = skip_space(i + 2 + (sign != '\0'));
      if (!starts("endraw", word)) continue;
      const auto end = closing(skip_space(word + 6), "%}");
      if (!end) continue;
      put_data(at_, i, sign, false, line_starting_);
      return advance_to(*end);
    }
    fail_syntax(name_, line, "a raw block has no end");
  }

  void inside(std::string_view mark) {
    const uint32_t line = line_;
    std::string open;  // closing brackets that are awaited
    while (at_ < source_.size()) {
      if (open.empty()) {
        if (const auto end = closing(at_, mark)) {
          put(mark == "}}" ? TokenKind::variable_end : TokenKind::block_end, "");
          return advance_to(*end);
        }
      }
      const char c = source_[at_];
      if (is_tag_space(c)) {
        advance_to(skip_space(at_));
      } else if (is_digit(c)) {
        number();
      } else if (is_name_start(c)) {
        size_t end = at_;
        while (end < source_.size() && (is_name_start(source_[end]) || is_digit(source_[end]))) ++end;
        put(TokenKind::name, source_.substr(at_, end - at_));
        advance_to(end);
      } else if (c == '\'' || c == '"') {
        string(c);
      } else {
        symbol(open);
      }
    }
    fail_syntax(name_, line, "a tag has no end");
  }

  void symbol(std::string& open) {
    constexpr std::string_view symbols[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
                                            "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
    for (const std::string_view s : symbols) {
      if (!starts(s, at_)) continue;
      const size_t bracket = std::string_view("([{").find(s);
      if (bracket != std::string_view::npos) open += ")]}"[bracket];
      if (std::string_view(")]}").find(s) != std::string_view::npos) {
        if (open.empty() || open.back() != s[0]) fail("unexpected '" + std::string(s) + "'");
        open.pop_back();
      }
      put(TokenKind::symbol, std::string(s));
      return advance_to(at_ + s.size());
    }
    fail("unexpected character '" + printable(std::string_view(source_).substr(at_, utf8_size(source_[at_]))) + "'");
  }

  // Digits with single underscores between; where they end.
  size_t digits(size_t at) const {
    if (at >= source_.size() || !is_digit(source_[at])) return at;
    while (at < source_.size() &&
           (is_digit(source_[at]) || (source_[at] == '_' && at + 1 < source_.size() && is_digit(source_[at + 1]))))
      ++at;
    return at;
  }

  void number() {
    size_t end = digits(at_);
    bool real = false;
    const bool after_dot = at_ > 0 && source_[at_ - 1] == '.';  // xs.0.1 is two subscripts
    if (!after_dot && end < source_.size() && source_[end] == '.' && digits(end + 1) > end + 1) {
      end = digits(end + 1);
      real = true;
    }
    if (!after_dot && end < source_.size() && (source_[end] | 32) == 'e') {
      size_t exponent = end + 1;
      if (exponent < source_.size() && (source_[exponent] == '+' || source_[exponent] == '-')) ++exponent;
      if (digits(exponent) > exponent) {
        end = digits(exponent);
        real = true;
      }
    }
    if (!real && source_[at_] == '0' && end == at_ + 1 && end < source_.size() &&
        std::string_view("xXoObB").find(source_[end]) != std::string_view::npos) {
      const auto is_part = [](char c) {
        return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == '_';
      };
      for (++end; end < source_.size() && is_part(source_[end]);) ++end;
    }
    std::string text = source_.substr(at_, end - at_);
    std::erase(text, '_');
    put(real ? TokenKind::real : TokenKind::integer, std::move(text));
    advance_to(end);
  }

  void string(char quote) {
    size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) fail("a string has no end");
    const std::string_view inner = std::string_view(source_).substr(at_ + 1, end - at_ - 1);
    std::optional<std::string> value = unescape(inner);
    if (!value) fail("a string has a broken escape: " + printable(inner));
    put(TokenKind::string, std::move(*value));
    advance_to(end + 1);
  }

  std::string source_;
  const std::string& name_;
  size_t at_ = 0;
  uint32_t line_ = 1;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

// All line ends as LF, and without the last one.
std::string normalize_lines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out += source[i];
      continue;
    }
    out += '\n';
    if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

}  // namespace

void fail_syntax(const std::string& name, uint32_t line, const std::string& what) {
  throw Error(Status::bad_file, name + ":" + std::to_string(line) + ": " + what);
}

std::vector<Token> tokenize(std::string_view source, const std::string& name) {
  return Lexer(normalize_lines(source), name).run();
}

}  // namespace quern::chat
