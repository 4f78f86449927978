// A reader of regular expressions, and the table of formats.
#include "string_format.h"

#include <algorithm>

#include "error.h"
#include "io/json.h"
#include "tokenizers/utf8.h"

namespace quern {
namespace {

using Node = GrammarRules::Node;

constexpr int max_pattern_groups = 50;

const CodeSet& any_set() {  // .
  static const CodeSet set = ~CodeSet({{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}});
  return set;
}

// Classes of one letter; the capital is the complement.
std::optional<CodeSet> class_of(char letter) {
  const CodeSet digits({{'0', '9'}}), words({{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}});
  const CodeSet spaces({{'\t', '\r'},
                        {' ', ' '},
                        {0xA0, 0xA0},
                        {0x1680, 0x1680},
                        {0x2000, 0x200A},
                        {0x2028, 0x2029},
                        {0x202F, 0x202F},
                        {0x205F, 0x205F},
                        {0x3000, 0x3000},
                        {0xFEFF, 0xFEFF}});
  const std::pair<char, const CodeSet&> table[] = {{'d', digits}, {'w', words}, {'s', spaces}};
  for (const auto& [name, set] : table) {
    if (letter == name) return set;
    if (letter == name - 'a' + 'A') return ~set;
  }
  return std::nullopt;
}

class PatternReader {
 public:
  PatternReader(JsonRules& json, GrammarRules& rules, std::string_view text, const std::string& where)
      : json_(json), rules_(rules), text_(text), where_(where) {}

  Node read() {
    const Node all = alternatives(0);
    if (at_ < text_.size()) fail("has a \")\" without its \"(\"");
    return json_.string_of(all);
  }

 private:
  [[noreturn]] void fail(const std::string& what, Status status = Status::bad_argument) const {
    throw Error(status, where_ + " " + what + ": \"" + printable(text_) + "\"");
  }
  [[noreturn]] void unsupported(const std::string& what) const {
    fail("has " + what + ", which is not supported", Status::unsupported);
  }
  char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool take(std::string_view s) {
    if (text_.substr(at_, s.size()) != s) return false;
    at_ += s.size();
    return true;
  }

  Node alternatives(int depth) {
    std::vector<Node> choices = {sequence(depth)};
    while (take("|")) choices.push_back(sequence(depth));
    return rules_.choice(std::move(choices));
  }

  Node anything() { return rules_.repeat(json_.character(), 0, GrammarRules::unlimited); }

  // At depth 0 a pattern's end that is not tied to the text's may have anything before or behind it.
  Node sequence(int depth) {
    std::vector<Node> parts;
    bool open_end = depth == 0;
    if (depth == 0 && !take("^")) parts.push_back(anything());
    while (at_ < text_.size() && peek() != '|' && peek() != ')') {
      if (depth == 0 && peek() == '$' && (at_ + 1 == text_.size() || peek(1) == '|')) {
        ++at_;
        open_end = false;
        break;
      }
      parts.push_back(repetition(atom(depth)));
    }
    if (open_end) parts.push_back(anything());
    return parts.empty() ? rules_.empty() : rules_.sequence(std::move(parts));
  }

  Node atom(int depth) {
    if (take("(")) return group(depth);
    if (take("[")) return json_.characters(char_class());
    if (take(".")) return json_.characters(any_set());
    if (peek() == '^' || peek() == '$') unsupported("an anchor inside it");
    if (peek() == '*' || peek() == '+' || peek() == '?') fail("repeats nothing");
    return json_.characters(character());
  }

  Node group(int depth) {
    if (depth >= max_pattern_groups)
      fail("has groups nested deeper than " + std::to_string(max_pattern_groups) + " levels");
    if (!take("?:") && peek() == '?') unsupported("a group that begins with \"(?\"");
    const Node inside = alternatives(depth + 1);
    if (!take(")")) fail("has a \"(\" without its \")\"");
    return inside;
  }

  Node repetition(Node part) {
    uint32_t min, max;
    if (take("*")) {
      min = 0, max = GrammarRules::unlimited;
    } else if (take("+")) {
      min = 1, max = GrammarRules::unlimited;
    } else if (take("?")) {
      min = 0, max = 1;
    } else if (peek() == '{' && peek(1) >= '0' && peek(1) <= '9') {
      ++at_;
      min = max = number();
      if (take(",")) max = peek() == '}' ? GrammarRules::unlimited : number();
      if (!take("}")) fail("has a \"{\" without its \"}\"");
    } else {
      return part;
    }
    take("?");  // lazy: the same texts
    if (peek() == '+' || peek() == '*') fail("repeats a repetition");
    return rules_.repeat(part, min, max);
  }

  uint32_t number() {
    uint64_t value = 0;
    for (; peek() >= '0' && peek() <= '9'; ++at_) {
      value = std::min<uint64_t>(value * 10 + static_cast<uint64_t>(peek() - '0'), 999'999'999);
    }
    return static_cast<uint32_t>(value);
  }

  // A character, or an escape for one or several.
  CodeSet character() {
    if (take("\\")) return escape();
    const Utf8Char c = decode_utf8(text_.data() + at_);
    at_ += c.size;
    return CodeSet({{c.code, c.code}});
  }

  CodeSet char_class() {
    const bool negated = take("^");
    CodeSet set;
    while (!take("]")) {
      if (at_ >= text_.size()) fail("has a \"[\" without its \"]\"");
      const CodeSet first = character();
      if (peek() != '-' || peek(1) == ']' || !is_one(first)) {
        set = set | first;
        continue;
      }
      ++at_;
      const CodeSet last = at_ < text_.size() ? character() : CodeSet();
      if (!is_one(last)) fail("has a range of characters without an end");
      const char32_t from = first.ranges()[0].first, to = last.ranges()[0].first;
      if (from > to) fail("has a range of characters whose end is before its start");
      set.add(from, to);
    }
    return negated ? ~set : set;
  }
  static bool is_one(const CodeSet& set) {
    return set.ranges().size() == 1 && set.ranges()[0].first == set.ranges()[0].last;
  }

  CodeSet escape() {
    const char letter = peek();
    if (const auto set = class_of(letter)) return ++at_, *set;
    if (letter == 'p' || letter == 'P') return property();
    if (const auto code = control(letter)) return ++at_, CodeSet({{*code, *code}});
    if (letter == 'x' || letter == 'u') {
      ++at_;
      const char32_t code = hex(letter == 'x' ? 2 : 4);
      return CodeSet({{code, code}});
    }
    const bool is_word =
        (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
    if (at_ >= text_.size()) fail("ends with a \"\\\"");
    if (is_word) unsupported("the escape \"\\" + std::string(1, letter) + "\"");
    const Utf8Char c = decode_utf8(text_.data() + at_);
    at_ += c.size;
    return CodeSet({{c.code, c.code}});
  }
  static std::optional<char32_t> control(char letter) {
    constexpr std::pair<char, char32_t> table[] = {{'t', '\t'}, {'n', '\n'}, {'r', '\r'}, {'f', '\f'}};
    for (const auto& [name, code] : table)
      if (letter == name) return code;
    return std::nullopt;
  }

  CodeSet property() {
    const bool negated = peek() == 'P';
    const size_t close = text_.find('}', at_);
    if (peek(1) != '{' || close == std::string_view::npos) fail("has a \"\\p\" without a name in braces");
    const auto set = CodeSet::property(text_.substr(at_ + 2, close - at_ - 2));
    if (!set) unsupported("a property of characters that is not known");
    at_ = close + 1;
    return negated ? ~*set : *set;
  }

  char32_t hex(int n_digits) {
    constexpr std::string_view digits = "0123456789abcdefABCDEF";
    char32_t code = 0;
    for (int i = 0; i < n_digits; ++i, ++at_) {
      const size_t digit = at_ < text_.size() ? digits.find(text_[at_]) : std::string_view::npos;
      if (digit == std::string_view::npos) fail("has an escape with too few hexadecimal digits");
      code = code << 4 | static_cast<char32_t>(digit < 16 ? digit : digit - 6);
    }
    return code;
  }

  JsonRules& json_;
  GrammarRules& rules_;
  std::string_view text_;
  const std::string& where_;
  size_t at_ = 0;
};

// Patterns in which %D, %T, %B and %L stand for a date, a time of day, a number below 256 and a part of a host's name.
constexpr struct {
  std::string_view name, pattern;
} formats[] = {
    {"date", "^%D$"},
    {"time", "^%T$"},
    {"date-time", "^%DT%T$"},
    {"duration",
     "^P(\\d{1,9}W|\\d{1,9}D(T\\d{1,9}H(\\d{1,9}M(\\d{1,9}S)?)?)?|"
     "T\\d{1,9}(H(\\d{1,9}M(\\d{1,9}S)?)?|M(\\d{1,9}S)?|S))$"},
    {"uuid", "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"},
    {"ipv4", "^(%B\\.){3}%B$"},
    {"ipv6", "^([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}$"},
    {"hostname", "^%L(\\.%L){0,6}$"},
    {"email", "^[a-zA-Z0-9_+-]{1,30}(\\.[a-zA-Z0-9_+-]{1,30})?@%L(\\.%L){1,4}$"},
};
constexpr std::pair<char, std::string_view> format_parts[] = {
    {'D',
     "[1-9]\\d{3}-((0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])|(0[469]|11)-(0[1-9]|[12]\\d|30)|02-(0[1-9]|1\\d|2[0-8]))"},
    {'T', "([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,9})?(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)"},
    {'B', "(25[0-5]|2[0-4]\\d|1\\d{2}|[1-9]?\\d)"},
    {'L', "[a-zA-Z0-9]([a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?"},
};

}  // namespace

Node pattern_string(JsonRules& json, GrammarRules& rules, std::string_view pattern, const std::string& where) {
  return PatternReader(json, rules, pattern, where).read();
}

std::optional<std::string> format_pattern(std::string_view format) {
  const auto* const found =
      std::find_if(std::begin(formats), std::end(formats), [&](const auto& f) { return f.name == format; });
  if (found == std::end(formats)) return std::nullopt;
  std::string pattern(found->pattern);
  for (const auto& [name, part] : format_parts) {
    const char placeholder[] = {'%', name, '\0'};
    for (size_t at; (at = pattern.find(placeholder)) != std::string::npos;) pattern.replace(at, 2, part);
  }
  return pattern;
}

}  // namespace quern
