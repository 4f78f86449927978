// Sets of characters, as regular expressions write them.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "unicode.h"

namespace quern {

class CodeSet {
 public:
  CodeSet() = default;
  explicit CodeSet(std::vector<unicode::Range> ranges);  // in any order

  // The characters that a function of their flags (see unicode.h) is true for.
  template <class Is>
  static CodeSet where(Is is) {
    CodeSet set;
    for (char32_t c = 0; c <= last_code; ++c) {
      if (is(unicode::flags(c))) set.push(c);
    }
    return set;
  }
  // By a name as in \p{name}, in any case and with any of " _-" in it; nothing if it is not known.
  static std::optional<CodeSet> property(std::string_view name);
  // By a name as in [[:name:]].
  static std::optional<CodeSet> bracket(std::string_view name);

  void add(char32_t first, char32_t last) { *this = *this | CodeSet({{first, last}}); }
  CodeSet operator|(const CodeSet& other) const;
  CodeSet operator&(const CodeSet& other) const;
  CodeSet operator~() const;
  CodeSet operator-(const CodeSet& other) const { return *this & ~other; }
  CodeSet with_other_case() const;  // one-to-one cases only
  bool contains(char32_t c) const;
  bool empty() const { return ranges_.empty(); }
  const std::vector<unicode::Range>& ranges() const { return ranges_; }  // in order, not touching

  static constexpr char32_t last_code = 0x10FFFF;

 private:
  void push(char32_t c) {
    if (!ranges_.empty() && ranges_.back().last + 1 == c) {
      ranges_.back().last = c;
    } else {
      ranges_.push_back({c, c});
    }
  }
  std::vector<unicode::Range> ranges_;
};

}  // namespace quern
