// Scanners for the regular expressions that byte-level tokenizers split by. Each does in one pass over the characters,
// without backtracking into earlier matches, what its expression says; pattern_test.cpp compares them with PCRE2.
#include <algorithm>

#include "pattern.h"
#include "unicode.h"

namespace quern {
namespace {

using unicode::Categories;
using unicode::letters, unicode::marks, unicode::numbers, unicode::punctuations, unicode::symbols;

// A word, and where its end is. A scanner returns where the match at i ends, or i if there is none.
struct Text {
  const Char* chars;
  uint32_t end;

  char32_t operator[](uint32_t i) const { return chars[i].code; }
  bool is(uint32_t i, Categories set) const { return i < end && unicode::is_in(chars[i].code, set); }
  bool is_space(uint32_t i) const { return i < end && (unicode::flags(chars[i].code) & unicode::white_space); }
  bool is_newline(uint32_t i) const { return i < end && (chars[i].code == U'\n' || chars[i].code == U'\r'); }
  uint32_t run(uint32_t i, Categories set) const {
    while (is(i, set)) ++i;
    return i;
  }
  uint32_t run(uint32_t i, Categories set, uint32_t at_most) const {
    const uint32_t stop = i + std::min(at_most, end - i);
    while (i < stop && is(i, set)) ++i;
    return i;
  }
};

// 's 't 're 've 'm 'll 'd
template <bool any_case>
uint32_t contraction(Text t, uint32_t i) {
  const auto at = [t](uint32_t k) -> char32_t {
    if (k >= t.end) return 0;
    const char32_t c = t[k];
    if (any_case && c == 0x17F) return U's';  // the long s
    return any_case && c >= U'A' && c <= U'Z' ? c + 32 : c;
  };
  if (t[i] != U'\'') return i;
  const char32_t a = at(i + 1), b = at(i + 2);
  if (a == U's' || a == U't' || a == U'm' || a == U'd') return i + 2;
  return (b == U'e' && (a == U'r' || a == U'v')) || (a == U'l' && b == U'l') ? i + 3 : i;
}

// \s*[\r\n]+|\s+(?!\S)|\s+, without the first alternative unless newlines.
template <bool newlines>
uint32_t white_space(Text t, uint32_t i) {
  uint32_t end = i, behind_newline = i;
  for (; t.is_space(end); ++end) {
    if (t.is_newline(end)) behind_newline = end + 1;
  }
  if (newlines && behind_newline > i) return behind_newline;
  return end == t.end || end < i + 2 ? end : end - 1;
}

// How the expressions differ.
struct Rules {
  enum class Contractions { none, exact, any_case, behind_words } contractions = Contractions::any_case;
  enum class Words { spaced, prefixed, cased } words = Words::prefixed;
  Categories letter = letters;      // what words consist of
  uint32_t digits = 1;              // the most that one number holds; not for spaced words
  bool slash_behind_marks = false;  // [\r\n/]* for [\r\n]*
};

// What may stand before the first letter: [^\r\n\p{L}\p{N}]
bool is_prefix(Text t, uint32_t i) {
  return !t.is_newline(i) && !t.is(i, letters | numbers);
}

constexpr Categories upper = unicode::categories(unicode::Lu, unicode::Lt, unicode::Lm, unicode::Lo) | marks;
constexpr Categories lower = unicode::categories(unicode::Ll, unicode::Lm, unicode::Lo) | marks;

// [upper]*[lower]+, from i; the match's end, or i.
uint32_t lower_word(Text t, uint32_t i) {
  uint32_t k = t.run(i, upper);
  if (t.is(k, lower)) return t.run(k, lower);
  while (k > i && !t.is(k - 1, lower)) --k;  // gives back until a character is of both kinds
  return k;
}

// [prefix]?[upper]*[lower]+|[prefix]?[upper]+[lower]*
uint32_t cased_word(Text t, uint32_t i) {
  const bool prefix = is_prefix(t, i);
  if (prefix) {
    if (const uint32_t end = lower_word(t, i + 1); end > i + 1) return end;
  }
  if (const uint32_t end = lower_word(t, i); end > i) return end;
  if (prefix) {
    if (const uint32_t end = t.run(i + 1, upper); end > i + 1) return end;  // what lower_word left has no lower
  }
  return t.run(i, upper);
}

template <Rules r>
uint32_t word(Text t, uint32_t i) {
  if constexpr (r.words == Rules::Words::cased) {
    uint32_t end = cased_word(t, i);
    if (r.contractions == Rules::Contractions::behind_words && end > i && end < t.end) end = contraction<true>(t, end);
    return end;
  }
  if (t.is(i, r.letter)) return t.run(i, r.letter);
  const bool may_start = r.words == Rules::Words::spaced ? t[i] == U' ' : is_prefix(t, i);
  const uint32_t end = may_start ? t.run(i + 1, r.letter) : i + 1;
  return end > i + 1 ? end : i;
}

template <Rules r>
uint32_t gpt_words(Text t, uint32_t i) {
  constexpr bool spaced = r.words == Rules::Words::spaced;
  if constexpr (r.contractions == Rules::Contractions::exact || r.contractions == Rules::Contractions::any_case) {
    const uint32_t end = contraction<r.contractions == Rules::Contractions::any_case>(t, i);
    if (end > i) return end;
  }
  if (const uint32_t end = word<r>(t, i); end > i) return end;
  const uint32_t behind_space = i + (t[i] == U' ');
  if (spaced && t.is(behind_space, numbers)) return t.run(behind_space, numbers);
  if (!spaced && t.is(i, numbers)) return t.run(i, numbers, r.digits);
  const auto is_other = [t](uint32_t k) {
    return k < t.end && !t.is_space(k) && !t.is(k, r.letter | letters | numbers);
  };
  if (is_other(behind_space)) {
    uint32_t end = behind_space + 1;
    while (is_other(end)) ++end;
    if (!spaced) {
      while (t.is_newline(end) || (r.slash_behind_marks && end < t.end && t[end] == U'/')) ++end;
    }
    return end;
  }
  return white_space<!spaced>(t, i);
}

bool is_ascii_letter(char32_t c) {
  return (c | 32) >= U'a' && (c | 32) <= U'z';
}

// DeepSeek's words.
uint32_t deepseek_words(Text t, uint32_t i) {
  const bool mark = t.is(i, punctuations | symbols);
  if (mark && t[i] < 128) {
    uint32_t end = i + 1;
    while (end < t.end && is_ascii_letter(t[end])) ++end;
    if (end > i + 1) return end;
  }
  constexpr Categories letter = letters | marks;
  if (t.is(i, letter)) return t.run(i, letter);
  if (!mark && !t.is_newline(i) && t.is(i + 1, letter)) return t.run(i + 1, letter);
  const uint32_t behind_space = i + (t[i] == U' ');
  if (t.is(behind_space, punctuations | symbols)) {
    uint32_t end = t.run(behind_space, punctuations | symbols);
    while (t.is_newline(end)) ++end;
    return end;
  }
  return white_space<true>(t, i);
}

uint32_t kana_and_ideographs(Text t, uint32_t i) {
  const auto in = [](char32_t c) { return (c >= 0x4E00 && c <= 0x9FA5) || (c >= 0x3040 && c <= 0x30FF); };
  while (i < t.end && in(t[i])) ++i;
  return i;
}

template <Categories set, uint32_t at_most>
uint32_t characters(Text t, uint32_t i) {
  return t.run(i, set, at_most);
}

// \s?[set]+
template <Categories set>
uint32_t behind_white_space(Text t, uint32_t i) {
  const uint32_t begin = i + t.is_space(i);
  const uint32_t end = t.run(begin, set);
  return end > begin ? end : i;
}

uint32_t two_spaces(Text t, uint32_t i) {
  uint32_t end = i;
  while (end < t.end && t[end] == U' ') ++end;
  return end < i + 2 ? i : end;
}

uint32_t spaces(Text t, uint32_t i) {
  while (t.is_space(i)) ++i;
  return i;
}

uint32_t newline(Text t, uint32_t i) {
  return i + t.is_newline(i);
}

template <uint32_t (*scan)(Text, uint32_t)>
class Scanner final : public Pattern {
 public:
  void find(const Char* chars, Span word, std::vector<Span>& matches) const override {
    const Text t{chars, word.end};
    for (uint32_t i = word.begin; i < word.end;) {
      const uint32_t end = scan(t, i);
      if (end > i) matches.push_back({i, end});
      i = std::max(end, i + 1);
    }
  }
};

template <uint32_t (*scan)(Text, uint32_t)>
PatternPtr make() {
  return std::make_unique<Scanner<scan>>();
}

using C = Rules::Contractions;
using W = Rules::Words;

constexpr struct {
  std::string_view regex;  // with \r and \n spelt out
  PatternPtr (*make)();
} known[] = {
    {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", make_gpt2_pattern},
    {R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", make_gpt2_pattern},
    // GPT-4, Llama 3
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
     R"(\s*[\r\n]+|\s+(?!\S)|\s+)",
     make<gpt_words<Rules{.digits = 3}>>},
    {R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|)"
     R"(\s*[\r\n]|\s+(?!\S)|\s+)",
     make<gpt_words<Rules{.digits = 3}>>},
    // Qwen 2 and 3, StableLM 2
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
     R"(\s*[\r\n]+|\s+(?!\S)|\s+)",
     make<gpt_words<Rules{}>>},
    // Qwen 3.5
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|)"
     R"(\s*[\r\n]+|\s+(?!\S)|\s+)",
     make<gpt_words<Rules{.letter = letters | marks}>>},
    // Mistral's tekken
    {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)"
     R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|)"
     R"(\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     make<gpt_words<Rules{.contractions = C::none, .words = W::cased, .slash_behind_marks = true}>>},
    // GPT-4o
    {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
     R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
     R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     make<gpt_words<Rules{
         .contractions = C::behind_words, .words = W::cased, .digits = 3, .slash_behind_marks = true}>>},
    // DeepSeek
    {R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|)"
     R"( ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     make<deepseek_words>},
    {R"([一-龥぀-ゟ゠-ヿ]+)", make<kana_and_ideographs>},
    {R"(\s?\p{L}+)", make<behind_white_space<letters>>},
    {R"(\s?\p{P}+)", make<behind_white_space<punctuations>>},
    {R"(\p{N}{1,3})", make<characters<numbers, 3>>},
    {R"(\p{N}+)", make<characters<numbers, UINT32_MAX>>},
    {R"(\p{N})", make<characters<numbers, 1>>},
    {R"(\d)", make<characters<unicode::categories(unicode::Nd), 1>>},
    {R"([\r\n])", make<newline>},
    {R"(\s+)", make<spaces>},
    {R"( {2,})", make<two_spaces>},
};

}  // namespace

PatternPtr make_gpt2_pattern() {
  return make<gpt_words<Rules{.contractions = C::exact, .words = W::spaced}>>();
}

PatternPtr make_known_pattern(std::string_view regex) {
  std::string key;
  for (const char c : regex) {
    if (c == '\r' || c == '\n') {
      key += c == '\r' ? "\\r" : "\\n";
    } else {
      key += c;
    }
  }
  for (const auto& k : known) {
    if (key == k.regex) return k.make();
  }
  return nullptr;
}

}  // namespace quern
