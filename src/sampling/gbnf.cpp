// A recursive-descent reader of GBNF.
#include "gbnf.h"

#include <algorithm>
#include <string>
#include <unordered_map>

#include "error.h"
#include "io/json.h"
#include "json_schema.h"
#include "string_format.h"
#include "tokenizers/utf8.h"

namespace quern {
namespace {

using Node = GrammarRules::Node;

constexpr int max_groups = 100;  // ( ) inside each other

// Escapes of one character; \x, \u and \U take 2, 4 and 8 hexadecimal digits.
constexpr struct {
  char name;
  char32_t code;
} simple_escapes[] = {{'n', '\n'}, {'r', '\r'}, {'t', '\t'}, {'\\', '\\'}, {'"', '"'},
                      {'[', '['},  {']', ']'},  {'-', '-'},  {'^', '^'}};
constexpr struct {
  char name;
  int n_digits;
} hex_escapes[] = {{'x', 2}, {'u', 4}, {'U', 8}};

class Reader {
 public:
  Reader(std::string_view text, const TokenOf& token, GrammarRules& rules)
      : text_(text), token_(token), rules_(rules) {}

  uint32_t read() {
    for (skip(true); at_ < text_.size(); skip(true)) rule();
    for (const auto& [name, rule] : names_) {
      if (!rules_.is_defined(rule.id)) {
        at_ = rule.first_use;
        fail("the rule \"" + printable(name) + "\" is not defined");
      }
    }
    const auto root = names_.find("root");
    if (root == names_.end()) fail_grammar("has no rule \"root\"");
    return root->second.id;
  }

 private:
  struct Rule {
    uint32_t id;
    size_t first_use;
  };

  [[noreturn]] void fail(const std::string& what, Status status = Status::bad_argument) const {
    const auto line = 1 + std::count(text_.begin(), text_.begin() + static_cast<ptrdiff_t>(at_), '\n');
    throw Error(status, "grammar: line " + std::to_string(line) + ": " + what);
  }
  [[noreturn]] void fail_expected(const char* what) const {
    const std::string_view rest = text_.substr(at_, 20);
    fail(std::string(what) + " expected, but \"" + printable(rest.substr(0, rest.find('\n'))) + "\" found");
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  // White space and comments; line ends only where the rule cannot end.
  void skip(bool lines) {
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '#') at_ = std::min(text_.find('\n', at_), text_.size());
      if (at_ == text_.size()) return;
      const bool line_end = text_[at_] == '\n' || text_[at_] == '\r';
      if (text_[at_] != ' ' && text_[at_] != '\t' && !(lines && line_end)) return;
    }
  }

  static bool is_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  }
  std::string name() {
    const size_t begin = at_;
    while (is_name(peek())) ++at_;
    if (at_ == begin) fail_expected("a rule's name");
    return std::string(text_.substr(begin, at_ - begin));
  }
  uint32_t rule_of(const std::string& name, size_t place) {
    const auto found = names_.find(name);
    if (found != names_.end()) return found->second.id;
    const uint32_t id = rules_.add_rule(name);
    names_[name] = {id, place};
    return id;
  }

  void rule() {
    const size_t begin = at_;
    const std::string its_name = name();
    skip(false);
    if (text_.substr(at_, 3) != "::=") fail_expected("\"::=\"");
    at_ += 3;
    const uint32_t id = rule_of(its_name, begin);
    if (rules_.is_defined(id)) fail("the rule \"" + printable(its_name) + "\" is defined twice");
    skip(true);
    rules_.define(id, alternatives(0));
    if (at_ < text_.size() && peek() != '\n' && peek() != '\r') fail_expected("the end of the rule");
  }

  Node alternatives(int depth) {
    std::vector<Node> choices = {sequence(depth)};
    while (take('|')) {
      skip(true);
      choices.push_back(sequence(depth));
    }
    return rules_.choice(std::move(choices));
  }

  Node sequence(int depth) {
    std::vector<Node> parts;
    for (;;) {
      const char c = peek();
      Node part;
      if (c == '"') {
        part = literal();
      } else if (c == '[') {
        part = char_class();
      } else if (c == '(') {
        part = group(depth);
      } else if (c == '.') {
        ++at_;
        part = rules_.chars(~CodeSet());
      } else if (is_name(c)) {
        const size_t begin = at_;
        part = rules_.reference(rule_of(name(), begin));
      } else if (c == '<') {
        part = token();
      } else if (c == '!') {
        fail("all tokens but one (!<…>) are not supported", Status::unsupported);
      } else if (c == '%') {
        part = embedded();
      } else {
        break;
      }
      skip(depth > 0);
      parts.push_back(repetitions(part, depth));
    }
    return parts.empty() ? rules_.empty() : rules_.sequence(std::move(parts));
  }

  // <[id]>, or <text> of a token that is written like this.
  Node token() {
    const size_t end = text_.find('>', at_);
    if (end == std::string_view::npos || text_.substr(at_, end - at_).find('\n') != std::string_view::npos)
      fail("a token without its closing \">\"");
    const std::string_view whole = text_.substr(at_, end + 1 - at_);
    if (!token_) fail("tokens (<…>) are not supported here", Status::unsupported);
    const std::string bytes = token_(whole.starts_with("<[") ? whole.substr(1, whole.size() - 2) : whole);
    if (bytes.empty()) fail("the vocabulary has no token " + printable(whole));
    at_ = end + 1;
    return rules_.literal(bytes);
  }

  // %json and a schema, %regex and a literal: what matches those.
  Node embedded() {
    ++at_;
    const size_t begin = at_;
    const std::string kind = name();
    skip(false);
    if (kind == "json") {
      const std::string_view schema = json_value();
      return rules_.reference(read_json_schema(schema, rules_, work_));
    }
    if (kind == "regex" && peek() == '"')
      return read_pattern(rules_, quoted(), "grammar: the regular expression", true, work_);
    at_ = begin;
    fail_expected("json and a schema, or regex and a literal,");
  }

  // A JSON object, true or false, as it stands.
  std::string_view json_value() {
    const size_t begin = at_;
    int depth = 0;
    for (bool string = false; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (string) {
        if (c == '\\') ++at_;
        string = c != '"';
        continue;
      }
      string = c == '"';
      depth += (c == '{') - (c == '}');
      if (depth == 0 && (c == '}' || !is_name(c))) {
        if (c == '}') ++at_;
        break;
      }
    }
    at_ = std::min(at_, text_.size());
    return text_.substr(begin, at_ - begin);
  }

  Node group(int depth) {
    if (depth >= max_groups) fail("groups are nested deeper than " + std::to_string(max_groups) + " levels");
    ++at_;
    skip(true);
    const Node inside = alternatives(depth + 1);
    if (!take(')')) fail_expected("\")\"");
    return inside;
  }

  Node repetitions(Node part, int depth) {
    for (int n = 0;; ++n) {
      if (n > max_groups) fail("more than " + std::to_string(max_groups) + " repetitions of one part");
      if (take('*')) {
        part = rules_.repeat(part, 0, GrammarRules::unlimited);
      } else if (take('+')) {
        part = rules_.repeat(part, 1, GrammarRules::unlimited);
      } else if (take('?')) {
        part = rules_.optional(part);
      } else if (take('{')) {
        part = counted(part);
      } else {
        return part;
      }
      skip(depth > 0);
    }
  }

  Node counted(Node part) {
    skip(false);
    const uint32_t min = number();
    uint32_t max = min;
    skip(false);
    if (take(',')) {
      skip(false);
      max = peek() == '}' ? GrammarRules::unlimited : number();
      skip(false);
    }
    if (!take('}')) fail_expected("\"}\"");
    return rules_.repeat(part, min, max);
  }

  uint32_t number() {
    uint64_t value = 0;
    const size_t begin = at_;
    for (; peek() >= '0' && peek() <= '9'; ++at_)
      value = std::min<uint64_t>(value * 10 + static_cast<uint64_t>(peek() - '0'), UINT32_MAX - 1);
    if (at_ == begin) fail_expected("a number");
    return static_cast<uint32_t>(value);
  }

  Node literal() { return rules_.literal(quoted()); }

  std::string quoted() {
    ++at_;
    std::string bytes;
    while (!take('"')) {
      if (at_ >= text_.size() || peek() == '\n') fail("a literal without its closing quotation mark");
      char code[4];
      bytes.append(code, encode_utf8(character(), code));
    }
    return bytes;
  }

  Node char_class() {
    ++at_;
    const bool negated = take('^');
    std::vector<unicode::Range> ranges;
    while (!take(']')) {
      if (at_ >= text_.size() || peek() == '\n') fail("a class without its closing bracket");
      const char32_t first = character();
      char32_t last = first;
      if (peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
        ++at_;
        last = character();
        if (last < first) fail("a range of characters whose end is before its start");
      }
      ranges.push_back({first, last});
    }
    if (ranges.empty()) fail("a class without characters");
    const CodeSet set(std::move(ranges));
    return rules_.chars(negated ? ~set : set);
  }

  // One character or escape of a literal or class.
  char32_t character() {
    if (take('\\')) return escape();
    const Utf8Char c = decode_utf8(text_.data() + at_);
    at_ += c.size;
    return c.code;
  }

  char32_t escape() {
    const char kind = peek();
    for (const auto& e : simple_escapes)
      if (take(e.name)) return e.code;
    for (const auto& e : hex_escapes) {
      if (!take(e.name)) continue;
      char32_t code = 0;
      for (int i = 0; i < e.n_digits; ++i) code = code << 4 | hex_digit();
      if (code > CodeSet::last_code || (code >= 0xD800 && code <= 0xDFFF)) fail("an escape that is no character");
      return code;
    }
    fail("the escape \"\\" + printable(std::string_view(&kind, 1)) + "\" is not known");
  }

  char32_t hex_digit() {
    constexpr std::string_view digits = "0123456789abcdefABCDEF";
    const size_t digit = digits.find(peek());
    if (at_ >= text_.size() || digit == std::string_view::npos) fail_expected("a hexadecimal digit");
    ++at_;
    return static_cast<char32_t>(digit < 16 ? digit : digit - 6);
  }

  std::string_view text_;
  const TokenOf& token_;
  GrammarRules& rules_;
  GrammarWork work_;
  size_t at_ = 0;
  std::unordered_map<std::string, Rule> names_;
};

}  // namespace

std::string special_mark(int32_t id) {
  std::string bytes = "\xFF";
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(id >> shift & 0xFF);
  return bytes;
}

uint32_t read_gbnf(std::string_view text, const TokenOf& token, GrammarRules& rules) {
  if (text.size() > GrammarRules::max_bytes) {
    fail_grammar("has " + std::to_string(text.size()) + " bytes, more than " + std::to_string(GrammarRules::max_bytes));
  }
  if (find_invalid_utf8(text) != text.size()) fail_grammar("is not UTF-8");
  return Reader(text, token, rules).read();
}

}  // namespace quern
