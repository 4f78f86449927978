// Sets of characters. See code_set.h.
#include "code_set.h"

#include <algorithm>
#include <string>

namespace quern {
namespace {

using namespace unicode;

constexpr Categories all = ~Categories{0};
constexpr Categories others = categories(Cn, Cc, Cf, Co, Cs), separators = categories(Zs, Zl, Zp);

// Properties that are made of categories, under their long and short names.
constexpr struct {
  std::string_view name;
  Categories set;
} category_sets[] = {
    {"any", all},
    {"assigned", all & ~categories(Cn)},
    {"l", letters},
    {"letter", letters},
    {"lc", categories(Lu, Ll, Lt)},
    {"casedletter", categories(Lu, Ll, Lt)},
    {"uppercaseletter", categories(Lu)},
    {"lowercaseletter", categories(Ll)},
    {"titlecaseletter", categories(Lt)},
    {"modifierletter", categories(Lm)},
    {"otherletter", categories(Lo)},
    {"m", marks},
    {"mark", marks},
    {"combiningmark", marks},
    {"nonspacingmark", categories(Mn)},
    {"spacingmark", categories(Mc)},
    {"enclosingmark", categories(Me)},
    {"n", numbers},
    {"number", numbers},
    {"decimalnumber", categories(Nd)},
    {"digit", categories(Nd)},
    {"letternumber", categories(Nl)},
    {"othernumber", categories(No)},
    {"p", punctuations},
    {"punct", punctuations},
    {"punctuation", punctuations},
    {"connectorpunctuation", categories(Pc)},
    {"dashpunctuation", categories(Pd)},
    {"openpunctuation", categories(Ps)},
    {"closepunctuation", categories(Pe)},
    {"initialpunctuation", categories(Pi)},
    {"finalpunctuation", categories(Pf)},
    {"otherpunctuation", categories(Po)},
    {"s", symbols},
    {"symbol", symbols},
    {"mathsymbol", categories(Sm)},
    {"currencysymbol", categories(Sc)},
    {"modifiersymbol", categories(Sk)},
    {"othersymbol", categories(So)},
    {"z", separators},
    {"separator", separators},
    {"spaceseparator", categories(Zs)},
    {"lineseparator", categories(Zl)},
    {"paragraphseparator", categories(Zp)},
    {"c", others},
    {"other", others},
    {"cntrl", categories(Cc)},
    {"control", categories(Cc)},
    {"format", categories(Cf)},
    {"surrogate", categories(Cs)},
    {"privateuse", categories(Co)},
    {"unassigned", categories(Cn)},
};

// … that are flags.
constexpr struct {
  std::string_view name;
  uint32_t flag;
} flag_sets[] = {
    {"alpha", alphabetic},    {"alphabetic", alphabetic},    {"upper", uppercase},
    {"uppercase", uppercase}, {"lower", unicode::lowercase}, {"lowercase", unicode::lowercase},
    {"space", white_space},   {"whitespace", white_space},   {"extendedpictographic", pictographic},
};

CodeSet of_categories(Categories set) {
  return CodeSet::where([set](uint32_t flags) { return (set >> (flags >> 27) & 1) != 0; });
}

CodeSet of_flags(uint32_t any) {
  return CodeSet::where([any](uint32_t flags) { return (flags & any) != 0; });
}

std::string fold(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c != ' ' && c != '_' && c != '-') out += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  return out;
}

// What both ways of naming a set know.
std::optional<CodeSet> common(std::string_view name) {
  for (const auto& s : flag_sets) {
    if (name == s.name) return of_flags(s.flag);
  }
  if (name == "alnum") return of_flags(alphabetic) | of_categories(categories(Nd));
  if (name == "ascii") return CodeSet({{0, 127}});
  if (name == "blank") return of_categories(categories(Zs)) | CodeSet({{U'\t', U'\t'}});
  if (name == "xdigit") return CodeSet({{U'0', U'9'}, {U'A', U'F'}, {U'a', U'f'}});
  if (name == "graph" || name == "print") {
    const CodeSet graph = of_categories(~(categories(Cc, Cn, Cs) | separators));
    return name == "graph" ? graph : graph | of_categories(categories(Zs));
  }
  if (name == "digit" || name == "cntrl") return of_categories(categories(name == "digit" ? Nd : Cc));
  return std::nullopt;
}

}  // namespace

CodeSet::CodeSet(std::vector<Range> ranges) : ranges_(std::move(ranges)) {
  std::sort(ranges_.begin(), ranges_.end(), [](Range a, Range b) { return a.first < b.first; });
  size_t n = 0;
  for (const Range r : ranges_) {
    if (n > 0 && r.first <= ranges_[n - 1].last + 1) {
      ranges_[n - 1].last = std::max(ranges_[n - 1].last, r.last);
    } else {
      ranges_[n++] = r;
    }
  }
  ranges_.resize(n);
}

std::optional<CodeSet> CodeSet::property(std::string_view name) {
  const std::string folded = fold(name);
  if (auto set = common(folded)) return set;
  if (folded == "word") return of_flags(regex_word);
  for (const auto& s : category_sets) {
    if (folded == s.name) return of_categories(s.set);
  }
  for (int i = 0; i < n_categories; ++i) {
    if (folded == fold(category_names[i])) return of_categories(Categories{1} << i);
  }
  if (const auto named = named_set(folded); !named.empty()) {
    return CodeSet(std::vector<Range>(named.begin(), named.end()));
  }
  return std::nullopt;
}

std::optional<CodeSet> CodeSet::bracket(std::string_view name) {
  if (name == "punct") return of_categories(punctuations | symbols);
  if (name == "word") return of_flags(alphabetic) | of_categories(marks | categories(Nd, Pc));
  return common(name);
}

CodeSet CodeSet::operator|(const CodeSet& other) const {
  std::vector<Range> both = ranges_;
  both.insert(both.end(), other.ranges_.begin(), other.ranges_.end());
  return CodeSet(std::move(both));
}

CodeSet CodeSet::operator&(const CodeSet& other) const {
  CodeSet out;
  for (auto a = ranges_.begin(), b = other.ranges_.begin(); a != ranges_.end() && b != other.ranges_.end();) {
    const char32_t first = std::max(a->first, b->first), last = std::min(a->last, b->last);
    if (first <= last) out.ranges_.push_back({first, last});
    if (a->last < b->last) {
      ++a;
    } else {
      ++b;
    }
  }
  return out;
}

CodeSet CodeSet::operator~() const {
  CodeSet out;
  char32_t next = 0;
  for (const Range r : ranges_) {
    if (r.first > next) out.ranges_.push_back({next, r.first - 1});
    next = r.last + 1;
  }
  if (next <= last_code) out.ranges_.push_back({next, last_code});
  return out;
}

bool CodeSet::contains(char32_t c) const {
  const auto r = std::upper_bound(ranges_.begin(), ranges_.end(), c, [](char32_t x, Range y) { return x < y.first; });
  return r != ranges_.begin() && c <= r[-1].last;
}

CodeSet CodeSet::with_other_case() const {
  std::vector<Range> out = ranges_;
  for (char32_t c = 0; c <= last_code; ++c) {
    if (!(flags(c) & lowers) || c == dotted_capital_i) continue;
    const char32_t low = lower(c);
    if (contains(c)) out.push_back({low, low});
    if (contains(low)) out.push_back({c, c});
  }
  return CodeSet(std::move(out));
}

}  // namespace quern
