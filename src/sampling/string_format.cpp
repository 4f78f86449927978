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
constexpr size_t max_loose_ranges = 4096;  // of a class, until they are put in order

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
  // whole: ^ and $ need not be written.
  PatternReader(GrammarRules& rules, std::string_view text, const std::string& where, bool whole, GrammarWork& work)
      : rules_(rules), text_(text), where_(where), whole_(whole), work_(work) {}

  Node read() {
    const Node all = alternatives(0);
    if (at_ < text_.size()) fail("has a \")\" without its \"(\"");
    return all;
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

  Node anything() {
    return whole_ ? rules_.empty() : rules_.repeat(rules_.chars(~CodeSet()), 0, GrammarRules::unlimited);
  }
  Node characters(CodeSet set) {
    work_.spend(set.ranges().size());
    return rules_.chars(std::move(set));
  }

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
    if (take("[")) return characters(char_class());
    if (take(".")) return characters(any_set());
    if (peek() == '^' || peek() == '$') unsupported("an anchor inside it");
    if (peek() == '*' || peek() == '+' || peek() == '?') fail("repeats nothing");
    return characters(character());
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
      value = std::min<uint64_t>(value * 10 + static_cast<uint64_t>(peek() - '0'), UINT32_MAX - 1);
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
    std::vector<unicode::Range> ranges;
    size_t compact = 0;  // so many of them touch no other
    const auto add = [&](const CodeSet& set) {
      work_.spend(set.ranges().size());
      ranges.insert(ranges.end(), set.ranges().begin(), set.ranges().end());
      if (ranges.size() < 2 * compact + max_loose_ranges) return;
      ranges = CodeSet(std::move(ranges)).ranges();
      compact = ranges.size();
    };
    while (!take("]")) {
      if (at_ >= text_.size()) fail("has a \"[\" without its \"]\"");
      const CodeSet first = character();
      if (peek() != '-' || peek(1) == ']' || !is_one(first)) {
        add(first);
        continue;
      }
      ++at_;
      const CodeSet last = at_ < text_.size() ? character() : CodeSet();
      if (!is_one(last)) fail("has a range of characters without an end");
      const char32_t from = first.ranges()[0].first, to = last.ranges()[0].first;
      if (from > to) fail("has a range of characters whose end is before its start");
      add(CodeSet({{from, to}}));
    }
    const CodeSet set(std::move(ranges));
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
    const auto& set = work_.property(text_.substr(at_ + 2, close - at_ - 2));
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

  GrammarRules& rules_;
  std::string_view text_;
  const std::string& where_;
  const bool whole_;
  GrammarWork& work_;
  size_t at_ = 0;
};

// Patterns in which %D, %T, %B, %H, %L, %l, %S, %P and %U stand for a date, a time of day, a number below 256, four
// hexadecimal digits, a part of a host's name, a short one, a URI's scheme and host, what follows these and a character
// of that. Of several rows for one format the first is used whose texts are of the lengths that are asked for.
constexpr struct {
  std::string_view name, pattern;
} formats[] = {
    {"date", "%D"},
    {"time", "%T"},
    {"date-time", "%DT%T"},
    {"duration",
     "P(\\d{1,9}W|\\d{1,9}D(T\\d{1,9}H(\\d{1,9}M(\\d{1,9}S)?)?)?|"
     "T\\d{1,9}(H(\\d{1,9}M(\\d{1,9}S)?)?|M(\\d{1,9}S)?|S))"},
    {"uuid", "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"},
    {"ipv4", "(%B\\.){3}%B"},
    {"ipv6",
     "(%H:){7}%H|(%H:){1,6}:%H|(%H:){1,5}(:%H){1,2}|(%H:){1,4}(:%H){1,3}|(%H:){1,3}(:%H){1,4}|(%H:){1,2}(:%H){1,5}|"
     "%H:(:%H){1,6}|(%H:){1,7}:|:(:%H){1,7}|::"},
    {"hostname", "%L(\\.%L){0,6}"},
    {"hostname", "%l(\\.%l){0,2}"},
    {"idn-hostname", "%L(\\.%L){0,6}"},
    {"email", "[a-zA-Z0-9_+-]{1,30}(\\.[a-zA-Z0-9_+-]{1,30})?@%L(\\.%L){1,4}"},
    {"email", "[a-zA-Z0-9_+-]{1,16}(\\.[a-zA-Z0-9_+-]{1,16})?@%l(\\.%l){1,2}"},
    {"idn-email", "[a-zA-Z0-9_+-]{1,30}(\\.[a-zA-Z0-9_+-]{1,30})?@%L(\\.%L){1,4}"},
    {"uri", "%S%P"},
    {"uri", "https?://%l(\\.%l){0,2}(/%U{0,30})?"},
    {"uri-reference", "%S%P|%P"},
    {"iri", "%S%P"},
    {"iri-reference", "%S%P|%P"},
    {"uri-template", "%S(/([\\w.~-]{1,50}|\\{\\w{1,30}\\})){0,10}"},
    {"json-pointer", "(/([^/~]|~[01]){0,60}){0,10}"},
    {"relative-json-pointer", "(0|[1-9]\\d{0,4})(#|(/([^/~]|~[01]){0,60}){0,10})"},
    {"regex", "\\^?([\\w -]{1,20}|\\[[a-z0-9]{1,10}\\]\\+){1,5}\\$?"},
};
constexpr std::pair<char, std::string_view> format_parts[] = {
    {'D',
     "([1-9]\\d{3}-((0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])|(0[469]|11)-(0[1-9]|[12]\\d|30)|02-(0[1-9]|1\\d|2[0-8]))|"
     "([1-9]\\d(0[48]|[2468][048]|[13579][26])|([2468][048]|[13579][26])00)-02-29)"},
    {'T', "([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,9})?(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)"},
    {'B', "(25[0-5]|2[0-4]\\d|1\\d{2}|[1-9]?\\d)"},
    {'H', "[0-9a-fA-F]{1,4}"},
    {'S', "(https?|ftp|wss?)://%L(\\.%L){0,3}(:[1-9]\\d{0,3})?"},
    {'P', "(/%U{0,450})?(\\?%U{0,100})?(#%U{0,30})?"},
    {'L', "[a-zA-Z0-9]([a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?"},
    {'l', "[a-zA-Z0-9]([a-zA-Z0-9-]{0,10}[a-zA-Z0-9])?"},
    {'U', "([a-zA-Z0-9._~!$&'()*+,;=:@/-]|%[0-9A-F]{2})"},
};

}  // namespace

Node read_pattern(GrammarRules& rules, std::string_view pattern, const std::string& where, bool whole,
                  GrammarWork& work) {
  work.spend(pattern.size());
  return PatternReader(rules, pattern, where, whole, work).read();
}

std::vector<std::string> format_patterns(std::string_view format) {
  std::vector<std::string> out;
  for (const auto& row : formats) {
    if (row.name != format) continue;
    std::string pattern(row.pattern);
    for (const auto& [name, part] : format_parts) {
      const char placeholder[] = {'%', name, '\0'};
      for (size_t at = 0; (at = pattern.find(placeholder, at)) != std::string::npos; at += part.size())
        pattern.replace(at, 2, part);
    }
    out.push_back(std::move(pattern));
  }
  return out;
}

}  // namespace quern
