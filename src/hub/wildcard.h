// Patterns of names as shells and Python's fnmatch have them.
#pragma once
#include <string_view>

namespace quern {

// What stands at pattern[at], '[...]' as a whole, taken from `c`: at: behind it then.
inline bool takes(std::string_view pattern, size_t& at, char c) noexcept {
  const size_t begin = at++;
  if (pattern[begin] == '?') return true;
  if (pattern[begin] != '[') return pattern[begin] == c;
  size_t i = begin + 1;
  const bool none_of = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (none_of) ++i;
  const size_t first = i;
  bool found = false;
  for (; i < pattern.size() && (pattern[i] != ']' || i == first); ++i) {
    const auto low = static_cast<unsigned char>(pattern[i]);
    const bool range = i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']';
    const auto high = static_cast<unsigned char>(range ? pattern[i += 2] : pattern[i]);
    found = found || (low <= static_cast<unsigned char>(c) && static_cast<unsigned char>(c) <= high);
  }
  if (i >= pattern.size()) return c == '[';  // it does not end: a bracket as it is
  at = i + 1;
  return found != none_of;
}

// '*' is any number of characters ('/' too), '?' one, "[a-c]" one of these, "[!a-c]" one of none of these. All of the
// text; bytes count. Takes at most pattern × text steps.
inline bool matches_wildcard(std::string_view pattern, std::string_view text) noexcept {
  size_t p = 0, t = 0, star = std::string_view::npos, from = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      from = t;
      continue;
    }
    if (p < pattern.size() && takes(pattern, p, text[t])) {
      ++t;
      continue;
    }
    if (star == std::string_view::npos) return false;
    p = star;  // the last '*' takes one more
    t = ++from;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace quern
