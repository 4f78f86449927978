// Patterns that are plain strings, and which kind a pattern is. See pattern.h.
#include "pattern.h"

#include <algorithm>

#include "utf8.h"

namespace quern {
namespace {

constexpr size_t max_string = 1024;  // bytes: a search costs at most text × pattern
constexpr size_t max_regex = 4096;   // bytes

class StringPattern final : public Pattern {
 public:
  explicit StringPattern(std::u32string pattern) : pattern_(std::move(pattern)) {}

  void find(const Char* text, Span word, std::vector<Span>& matches) const override {
    const auto equal = [](const Char& c, char32_t p) { return c.code == p; };
    const Char *at = text + word.begin, *end = text + word.end;
    const auto index = [text](const Char* c) { return static_cast<uint32_t>(c - text); };
    if (pattern_.empty()) {  // between all characters
      for (; at <= end; ++at) matches.push_back({index(at), index(at)});
      return;
    }
    while ((at = std::search(at, end, pattern_.begin(), pattern_.end(), equal)) != end) {
      matches.push_back({index(at), index(at + pattern_.size())});
      at += pattern_.size();
    }
  }

 private:
  std::u32string pattern_;
};

PatternPtr make_string_pattern(std::string_view s) {
  return std::make_unique<StringPattern>(decode_utf8(s));
}

bool is_literal(std::string_view regex) {
  return regex.find_first_of("\\^$.|?*+()[]{}") == std::string_view::npos;
}

}  // namespace

#if !defined(QUERN_PCRE2)
PatternPtr make_regex_pattern(const std::string&, const JsonField& field) {
  field.fail("is not among the regular expressions that quern knows by itself, and this build lacks PCRE2 for others",
             Status::unsupported);
}
#endif

PatternPtr make_pattern(const JsonField& field) {
  if (const auto string = field.find("String")) {
    const std::string s = string->string();
    if (s.size() > max_string) string->fail("should be at most 1024 bytes", Status::unsupported);
    return make_string_pattern(s);
  }
  const JsonField regex_field = field.at("Regex");
  const std::string regex = regex_field.string();
  if (regex.size() > max_regex) regex_field.fail("should be at most 4096 bytes", Status::unsupported);
  if (PatternPtr known = make_known_pattern(regex)) return known;
  if (is_literal(regex) && regex.size() <= max_string) return make_string_pattern(regex);
  return make_regex_pattern(regex, regex_field);
}

}  // namespace quern
