// Oniguruma's syntax into PCRE2's. See regex_syntax.h.
#include "regex_syntax.h"

#include <algorithm>
#include <map>

#include "utf8.h"

namespace quern {
namespace {

constexpr int max_pattern_depth = 100;  // of groups and classes within each other
constexpr uint32_t max_count = 1000;    // of a repetition
constexpr size_t max_sets = 256;
constexpr char32_t none = 0xFFFFFFFF;  // behind the end

std::string hex(char32_t c) {
  char digits[16];
  std::snprintf(digits, sizeof digits, "\\x{%X}", static_cast<unsigned>(c));
  return digits;
}

bool is_alphanumeric(char32_t c) {
  return c < 128 && ((c >= U'0' && c <= U'9') || ((c | 32) >= U'a' && (c | 32) <= U'z'));
}

class Translator {
 public:
  Translator(std::string_view regex, const WriteSet& write_set, const JsonField& field)
      : in_(decode_utf8(regex)), write_set_(write_set), field_(field) {}

  std::string run() {
    alternatives(Options{}, 0);
    if (at_ < in_.size()) refuse("a \")\" that closes nothing");
    return std::move(out_);
  }

 private:
  struct Options {
    bool any_case = false, dot_all = false;
  };

  [[noreturn]] void refuse(const std::string& what) const {
    field_.fail("holds " + what + " at character " + std::to_string(at_) + ", which is not supported",
                Status::unsupported);
  }

  char32_t peek(size_t ahead = 0) const { return at_ + ahead < in_.size() ? in_[at_ + ahead] : none; }
  char32_t next() {
    if (at_ == in_.size()) refuse("an unfinished part");
    return in_[at_++];
  }
  bool take(std::u32string_view s) {
    if (in_.compare(at_, s.size(), s) != 0) return false;
    at_ += s.size();
    return true;
  }

  // Up to the end or the ")" of the group.
  void alternatives(Options options, int depth) {
    if (depth > max_pattern_depth) refuse("groups nested deeper than 100 levels");
    while (at_ < in_.size() && peek() != U')') {
      if (peek() == U'|') {
        out_ += '|';
        ++at_;
        continue;
      }
      const size_t begin = out_.size();
      if (atom(options, depth)) repetitions(begin);
    }
  }

  // One thing that can be repeated; false for what cannot.
  bool atom(Options options, int depth) {
    const char32_t c = next();
    switch (c) {
      case U'(':
        return group(options, depth);
      case U'[':
        return put_set(set(depth), options), true;
      case U'\\':
        return escape(options);
      case U'.':
        return out_ += options.dot_all ? "\\p{Any}" : ".", true;
      case U'^':
      case U'$':
        return out_ += static_cast<char>(c), true;
      default:
        if (c == U'*' || c == U'+' || c == U'?') --at_, refuse("a repetition of nothing");
        return put_literal(c, options), true;
    }
  }

  bool group(Options options, int depth) {
    if (peek() == U'*') refuse("a call");
    if (peek() != U'?') {
      out_ += '(';
    } else if (take(U"?#")) {
      while (next() != U')') {
      }
      return false;
    } else if (peek(1) == U'<' && peek(2) != U'=' && peek(2) != U'!') {
      while (next() != U'>') {
      }
      out_ += "(?:";
    } else if (!lookaround()) {
      const Options inner = read_options(options);
      if (take(U":")) {
        options = inner;
        out_ += options_prefix(options);
      } else {  // up to the end of the group around, all alternatives of which it then takes
        if (next() != U')') refuse("an unknown kind of group");
        out_ += options_prefix(inner);
        alternatives(inner, depth + 1);
        out_ += ')';
        return false;
      }
    }
    alternatives(options, depth + 1);
    if (next() != U')') refuse("an unfinished group");
    out_ += ')';
    return true;
  }

  bool lookaround() {
    for (const std::u32string_view kind : {U"?=", U"?!", U"?>", U"?<=", U"?<!"}) {
      if (!take(kind)) continue;
      out_ += '(';
      for (const char32_t c : kind) out_ += static_cast<char>(c);
      return true;
    }
    return false;
  }

  // "?im-im", up to ":" or ")".
  Options read_options(Options options) {
    ++at_;
    bool on = true;
    for (;;) {
      const char32_t c = peek();
      if (c == U':' || c == U')') return options;
      if (c == U'-') {
        on = false;
      } else if (c == U'i') {
        options.any_case = on;
      } else if (c == U'm') {
        options.dot_all = on;
      } else {
        refuse("an unknown kind of group");
      }
      ++at_;
    }
  }

  static std::string options_prefix(Options options) { return options.any_case ? "(?i:" : "(?-i:"; }

  // What follows an atom, which out_ holds from begin on. Where PCRE2 would read two signs as one, the atom is wrapped.
  void repetitions(size_t begin) {
    for (int n = 0;; ++n) {
      const char32_t c = peek();
      std::string sign;
      if (c == U'*' || c == U'+' || c == U'?') {
        ++at_;
        sign = static_cast<char>(c);
        if (peek() == U'?' || peek() == U'+') sign += static_cast<char>(next());
      } else if (c != U'{' || !interval(sign)) {
        return;
      }
      if (n > 0) {
        out_.insert(begin, "(?:");
        out_ += ')';
      }
      if (n > max_pattern_depth) refuse("too many repetitions of one part");
      out_ += sign;
    }
  }

  // "{n}", "{n,}", "{,m}" or "{n,m}", lazy but for the first; false if "{" stands for itself.
  bool interval(std::string& sign) {
    const size_t before = at_++;
    uint32_t low = 0, high = 0;
    const bool has_low = number(low), comma = take(U","), has_high = comma && number(high);
    if (!take(U"}") || (!has_low && !has_high)) {
      at_ = before;
      return false;
    }
    if (has_high && low > high) refuse("a repetition whose bounds are the wrong way round");
    sign = "{" + std::to_string(low) + (comma ? "," : "") + (has_high ? std::to_string(high) : "") + "}";
    if (comma && take(U"?")) sign += '?';
    return true;
  }

  bool number(uint32_t& value) {
    const size_t begin = at_;
    for (; peek() >= U'0' && peek() <= U'9'; ++at_) {
      value = value * 10 + (peek() - U'0');
      if (value > max_count) refuse("a repetition of more than 1000 times");
    }
    return at_ > begin;
  }

  // Behind a backslash, outside a class.
  bool escape(Options options) {
    const char32_t c = peek();
    switch (c) {
      case U'A':
      case U'z':
      case U'Z':
        ++at_;
        out_ += std::string("\\") + static_cast<char>(c);
        return true;
      case U'b':
      case U'B':
        ++at_, word_boundary(c == U'b');
        return true;
      case U'R':
        ++at_, out_ += "(?>\\r\\n|[\\n-\\r\\x{85}\\x{2028}\\x{2029}])";
        return true;
      default:
        break;
    }
    if (c >= U'1' && c <= U'9') {
      ++at_;
      if (peek() >= U'0' && peek() <= U'9') refuse("a reference to a group above 9");
      out_ += "(?:\\" + std::string(1, static_cast<char>(c)) + ")";
      return true;
    }
    if (const auto named = named_set(false)) {
      if (options.any_case) out_ += "(?-i:";  // outside of [ ] a class does not match the other case
      put_set({*named, false}, Options{});
      if (options.any_case) out_ += ')';
    } else {
      put_literal(escaped_char(false), options);
    }
    return true;
  }

  void word_boundary(bool positive) {
    const std::string word = "[" + write_set_(property("word")) + "]";
    const std::string here = "(?-i:(?<=" + word + ")(?!" + word + ")|(?<!" + word + ")(?=" + word + "))";
    out_ += positive ? here : "(?!" + here + ")";
  }

  // \d \D \w \W \s \S \h \H \p{…} \P{…} behind their backslash; nothing, and nothing read, for others. In a class
  // Oniguruma's \w lacks six superscripts and fractions that it has elsewhere.
  std::optional<CodeSet> named_set(bool in_class) {
    const char32_t c = peek(), lower = c | 32;
    if (c >= 128) return std::nullopt;
    const char* name = lower == U'd'   ? "nd"
                       : lower == U'w' ? "word"
                       : lower == U's' ? "space"
                       : lower == U'h' ? "xdigit"
                                       : nullptr;
    if (name != nullptr) {
      ++at_;
      const CodeSet set = in_class && lower == U'w' ? bracket("word") : property(name);
      return c == lower ? set : ~set;
    }
    if (lower != U'p' || peek(1) != U'{') return std::nullopt;
    at_ += 2;
    const bool negated = take(U"^") != (c == U'P');
    std::string name_in_braces;
    while (peek() != U'}') {
      if (peek() >= 128 || name_in_braces.size() > 64) refuse("an unknown property");
      name_in_braces += static_cast<char>(next());
    }
    ++at_;
    CodeSet set = property(name_in_braces);
    if (in_class && set.ranges() == property("word").ranges()) set = bracket("word");
    return negated ? ~set : set;
  }

  const CodeSet& property(const std::string& name) { return look_up("property", name, &CodeSet::property); }
  const CodeSet& bracket(const std::string& name) { return look_up("class", name, &CodeSet::bracket); }
  const CodeSet& look_up(const std::string& kind, const std::string& name,
                         std::optional<CodeSet> (*find)(std::string_view)) {
    const std::string key = kind + " \"" + name + "\"";
    const auto known = sets_.find(key);
    if (known != sets_.end()) return known->second;
    auto set = find(name);
    if (!set) refuse("the " + key);
    if (sets_.size() == max_sets) refuse("more than 256 properties");
    return sets_.emplace(key, *std::move(set)).first->second;
  }

  // A character that a backslash stands before.
  char32_t escaped_char(bool in_class) {
    const char32_t c = next();
    constexpr std::u32string_view letters = U"tnrfvaeb", meant = U"\t\n\r\f\v\a\x1B\b";
    const size_t known = letters.find(c);
    if (known < letters.size() && (c != U'b' || in_class)) return meant[known];
    if (c == U'u') return hex_digits(4, 4);
    if (c == U'x' && take(U"{")) {
      const char32_t code = hex_digits(1, 8);
      if (!take(U"}")) refuse("an unfinished \\x{…}");
      return code;
    }
    if (c == U'x') {
      const char32_t byte = hex_digits(1, 2);
      if (byte > 0x7F) refuse("a byte that is no character");
      return byte;
    }
    if (!is_alphanumeric(c)) return c;
    --at_;
    refuse("\\" + std::string(1, static_cast<char>(c)));
  }

  char32_t hex_digits(int at_least, int at_most) {
    char32_t code = 0;
    int n = 0;
    for (; n < at_most; ++n, ++at_) {
      const char32_t c = peek(), lower = c | 32;
      if (c >= U'0' && c <= U'9') {
        code = code * 16 + (c - U'0');
      } else if (c < 128 && lower >= U'a' && lower <= U'f') {
        code = code * 16 + (lower - U'a' + 10);
      } else {
        break;
      }
    }
    if (n < at_least || code > CodeSet::last_code || (code >= 0xD800 && code < 0xE000))
      refuse("an odd number in hexadecimal");
    return code;
  }

  // A class behind its "[", through its "]": the set, and whether it is what does not match.
  struct Class {
    CodeSet set;
    bool negated;
  };
  Class set(int depth) {
    if (depth > max_pattern_depth) refuse("classes nested deeper than 100 levels");
    const bool negated = take(U"^");
    std::optional<CodeSet> before;  // the sets in front of &&
    CodeSet current;
    for (bool first = true; first || peek() != U']'; first = false) {
      if (peek() == none) refuse("an unfinished class");
      if (take(U"&&")) {
        before = before ? *before & current : current;
        current = CodeSet();
      } else {
        current = current | item(depth);
      }
    }
    ++at_;
    return {before ? *before & current : current, negated};
  }

  CodeSet item(int depth) {
    if (take(U"[:")) return posix_class();
    if (take(U"[")) {
      const Class inner = set(depth + 1);
      return inner.negated ? ~inner.set : inner.set;
    }
    char32_t low = next();
    if (low == U'\\') {
      if (const auto named = named_set(true)) return *named;
      low = escaped_char(true);
    }
    if (peek() != U'-' || peek(1) == U']' || peek(1) == none) return CodeSet({{low, low}});
    ++at_;
    if (peek() == U'[') refuse("a range that ends with a class");
    char32_t high = next();
    if (high == U'\\') {
      if (named_set(true)) refuse("a range that ends with a class");
      high = escaped_char(true);
    }
    if (high < low) refuse("a range whose bounds are the wrong way round");
    return CodeSet({{low, high}});
  }

  CodeSet posix_class() {
    const bool negated = take(U"^");
    std::string name;
    while (peek() >= U'a' && peek() <= U'z') name += static_cast<char>(next());
    const CodeSet& set = bracket(name);
    if (!take(U":]")) refuse("an unfinished class");
    return negated ? ~set : set;
  }

  void put_set(const Class& c, Options options) {
    if (++n_sets_ > max_sets) refuse("more than 256 classes");
    if (c.set.empty()) {
      out_ += c.negated ? "\\p{Any}" : "(?!)";
      return;
    }
    // PCRE2 knows the other case of all but the newest letters.
    const std::string written = write_set_(options.any_case ? c.set.with_other_case() : c.set);
    out_ += std::string(c.negated ? "[^" : "[") + written + "]";
  }

  void put_literal(char32_t c, Options options) {
    if (is_alphanumeric(c)) {
      out_ += static_cast<char>(c);
    } else if (c >= 128 && options.any_case) {
      put_set({CodeSet({{c, c}}), false}, options);
    } else {
      out_ += hex(c);
    }
  }

  std::u32string in_;
  size_t at_ = 0;
  std::string out_;
  std::map<std::string, CodeSet> sets_;  // a look-up goes through all characters
  size_t n_sets_ = 0;
  const WriteSet& write_set_;
  const JsonField& field_;
};

}  // namespace

std::string to_pcre2(std::string_view regex, const WriteSet& write_set, const JsonField& field) {
  return Translator(regex, write_set, field).run();
}

std::string write_ranges(const CodeSet& set) {
  std::string out;
  const auto put = [&out](char32_t first, char32_t last) {
    if (first > last) return;
    out += hex(first);
    if (last > first) out += "-" + hex(last);
  };
  for (const unicode::Range r : set.ranges()) {  // surrogates are no characters
    put(r.first, std::min<char32_t>(r.last, 0xD7FF));
    put(std::max<char32_t>(r.first, 0xE000), r.last);
  }
  return out;
}

}  // namespace quern
