// See json_number.h. Digits are compared from the first on: up to the first one that differs they are those of a bound,
// and behind it any will do.
#include "json_number.h"

#include <algorithm>
#include <vector>

namespace quern {
namespace {

using Node = GrammarRules::Node;

constexpr uint64_t largest_usual = 999'999'999'999'999'999;  // where there are no bounds
constexpr uint64_t largest_int64 = uint64_t{1} << 63;
constexpr size_t most_digits = 20;  // of a uint64
constexpr uint32_t max_fraction = 15, max_zeros = 4;

class Digits {
 public:
  explicit Digits(GrammarRules& rules) : rules_(rules) {}

  Node nothing() { return rules_.chars({}); }
  Node digit(char first, char last) {
    if (first > last) return nothing();
    return rules_.chars(CodeSet({{static_cast<char32_t>(first), static_cast<char32_t>(last)}}));
  }
  Node digits(size_t min, size_t max) {
    return rules_.repeat(digit('0', '9'), static_cast<uint32_t>(min), static_cast<uint32_t>(max));
  }
  Node zeros(uint32_t min) { return rules_.repeat(digit('0', '0'), min, max_zeros); }

  // Whole numbers low … high, both at least 0.
  Node between(uint64_t low, uint64_t high) {
    if (low > high) return nothing();
    const std::string first = std::to_string(low), last = std::to_string(high);
    std::vector<Node> ways;
    for (size_t n = first.size(); n <= last.size(); ++n) {  // by length
      ways.push_back(same_length(n == first.size() ? first : "1" + std::string(n - 1, '0'),
                                 n == last.size() ? last : std::string(n, '9')));
    }
    return rules_.choice(std::move(ways));
  }

  // The fraction of a number with the whole part of the bound, its point included. low: at least this; high: at most;
  // null for no bound.
  Node fraction(const Decimal* low, bool low_excluded, const Decimal* high, bool high_excluded) {
    std::vector<Node> ways;
    const bool zero_fits =
        (!low || (low->fraction.empty() && !low_excluded)) && (!high || !high->fraction.empty() || !high_excluded);
    if (zero_fits) ways.push_back(rules_.empty());
    const Node rest = behind(low ? std::optional<std::string>(low->fraction) : std::nullopt, low_excluded,
                             high ? std::optional<std::string>(high->fraction) : std::nullopt, high_excluded);
    ways.push_back(rules_.sequence({rules_.literal("."), rest}));
    return rules_.choice(std::move(ways));
  }

 private:
  Node same_length(std::string_view low, std::string_view high) {
    if (low.empty()) return rules_.empty();
    const auto all = [](std::string_view s, char c) { return s.find_first_not_of(c) == std::string_view::npos; };
    if (all(low, '0') && all(high, '9')) return digits(low.size(), low.size());
    if (low[0] == high[0]) {
      return rules_.sequence({digit(low[0], low[0]), same_length(low.substr(1), high.substr(1))});
    }
    const size_t n = low.size() - 1;
    std::vector<Node> ways;
    ways.push_back(rules_.sequence({digit(low[0], low[0]), same_length(low.substr(1), std::string(n, '9'))}));
    if (low[0] + 1 < high[0]) {
      ways.push_back(
          rules_.sequence({digit(static_cast<char>(low[0] + 1), static_cast<char>(high[0] - 1)), digits(n, n)}));
    }
    ways.push_back(rules_.sequence({digit(high[0], high[0]), same_length(std::string(n, '0'), high.substr(1))}));
    return rules_.choice(std::move(ways));
  }

  // At least one digit, so that they are within the bounds that are there.
  Node behind(std::optional<std::string> low, bool low_excluded, std::optional<std::string> high, bool high_excluded) {
    if (low && low->empty() && !low_excluded) low = std::nullopt;
    if (!low && !high) return digits(1, max_fraction);
    if (high && high->empty()) {  // only zeros are not above it
      return low || high_excluded ? nothing() : zeros(1);
    }
    if (low && low->empty()) {  // above it: not all zeros
      if (!high) return rules_.sequence({zeros(0), digit('1', '9'), digits(0, max_fraction)});
      low.emplace(1, '0');
    }
    const char from = low ? (*low)[0] : '0', to = high ? (*high)[0] : '9';
    const auto rest_of = [](const std::optional<std::string>& s) { return s ? std::optional(s->substr(1)) : s; };
    const auto ends = [&](bool may, Node more) { return may ? rules_.choice({rules_.empty(), more}) : more; };
    const auto is_last = [](const std::optional<std::string>& s) { return s && s->size() == 1; };
    // Whether the number may end behind a digit that is the bound's own.
    const bool low_ends = !low || (is_last(low) && !low_excluded),
               high_ends = !high || !is_last(high) || !high_excluded;
    if (from > to) return nothing();
    if (low && high && from == to) {
      return rules_.sequence({digit(from, from), ends(low_ends && high_ends, behind(rest_of(low), low_excluded,
                                                                                    rest_of(high), high_excluded))});
    }
    std::vector<Node> ways;
    char first = from, last = to;
    if (low) {
      ways.push_back(rules_.sequence(
          {digit(from, from), ends(low_ends, behind(rest_of(low), low_excluded, std::nullopt, false))}));
      ++first;
    }
    if (high) {
      ways.push_back(
          rules_.sequence({digit(to, to), ends(high_ends, behind(std::nullopt, false, rest_of(high), high_excluded))}));
      --last;
    }
    if (first <= last) ways.push_back(rules_.sequence({digit(first, last), digits(0, max_fraction)}));
    return rules_.choice(std::move(ways));
  }

  GrammarRules& rules_;
};

// Magnitudes between two of them, each of which may be excluded.
struct Magnitudes {
  Decimal low, high;
  bool low_excluded, high_excluded;
};

Node number_between(Digits& digits, GrammarRules& rules, const Magnitudes& m) {
  std::vector<Node> ways;
  const auto add = [&](uint64_t first, uint64_t last, const Decimal* low, const Decimal* high) {
    if (first > last) return;
    ways.push_back(
        rules.sequence({digits.between(first, last), digits.fraction(low, m.low_excluded, high, m.high_excluded)}));
  };
  if (m.low.whole == m.high.whole) {
    add(m.low.whole, m.low.whole, &m.low, &m.high);
  } else if (m.low.whole < m.high.whole) {
    add(m.low.whole, m.low.whole, &m.low, nullptr);
    add(m.low.whole + 1, m.high.whole - 1, nullptr, nullptr);  // the larger is above 0
    add(m.high.whole, m.high.whole, nullptr, &m.high);
  }
  return ways.empty() ? digits.nothing() : rules.choice(std::move(ways));
}

Node integer_between(Digits& digits, GrammarRules&, const Magnitudes& m) {
  const bool above = !m.low.fraction.empty() || m.low_excluded;
  const bool below = m.high.fraction.empty() && m.high_excluded;
  if ((above && m.low.whole == UINT64_MAX) || (below && m.high.whole == 0)) return digits.nothing();
  return digits.between(m.low.whole + above, m.high.whole - below);
}

// The values of both signs; the sign goes before the magnitude.
Node bounded(GrammarRules& rules, const NumberBounds& b, bool minus_zero,
             Node (*magnitudes)(Digits&, GrammarRules&, const Magnitudes&)) {
  Digits digits(rules);
  const bool any = !b.min && !b.max;
  const Decimal zero, least{false, any ? largest_usual : largest_int64, ""},
      most{false, any ? largest_usual : largest_int64 - 1, ""};
  std::vector<Node> ways = {digits.nothing()};
  if (!b.max || !b.max->negative) {
    const bool positive_min = b.min && !b.min->negative;
    // Above int64's end: as far as a uint64 goes.
    const Decimal end = positive_min && b.min->whole >= most.whole ? Decimal{false, UINT64_MAX, ""} : most;
    ways.push_back(magnitudes(
        digits, rules,
        {positive_min ? *b.min : zero, b.max ? *b.max : end, positive_min && b.min_excluded, b.max && b.max_excluded}));
  }
  if (!b.min || b.min->negative) {
    const bool negative_max = b.max && b.max->negative;
    const bool zero_excluded = !minus_zero || (b.max && b.max->is_zero() && b.max_excluded);
    const Magnitudes m = {negative_max ? *b.max : zero, b.min ? *b.min : least,
                          negative_max ? b.max_excluded : zero_excluded, b.min && b.min_excluded};
    ways.push_back(rules.sequence({rules.literal("-"), magnitudes(digits, rules, m)}));
  }
  return rules.choice(std::move(ways));
}

}  // namespace

int compare(const Decimal& a, const Decimal& b) {
  if (a.negative != b.negative) return a.negative ? -1 : 1;
  const auto order = std::pair(a.whole, a.fraction) <=> std::pair(b.whole, b.fraction);
  const int sign = order < 0 ? -1 : order > 0 ? 1 : 0;
  return a.negative ? -sign : sign;
}

std::optional<Decimal> Decimal::parse(std::string_view text) {
  Decimal out;
  std::string digits;
  int64_t point = -1, exponent = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '-') {
      out.negative = true;
    } else if (text[i] == '.') {
      point = static_cast<int64_t>(digits.size());
    } else if (text[i] == 'e' || text[i] == 'E') {
      if (text.size() - i > 6) return std::nullopt;
      exponent = std::stoi(std::string(text.substr(i + 1)));
      break;
    } else {
      digits += text[i];
    }
  }
  point = (point < 0 ? static_cast<int64_t>(digits.size()) : point) + exponent;
  if (digits.size() > 64 || point < -32 || point > 64) return std::nullopt;
  if (point < 0) digits = std::string(static_cast<size_t>(-point), '0') + digits;
  point = std::max<int64_t>(point, 0);
  if (digits.size() < static_cast<size_t>(point)) digits.resize(static_cast<size_t>(point), '0');
  std::string whole = digits.substr(0, static_cast<size_t>(point));
  whole.erase(0, std::min(whole.find_first_not_of('0'), whole.size()));
  out.fraction = digits.substr(static_cast<size_t>(point));
  while (!out.fraction.empty() && out.fraction.back() == '0') out.fraction.pop_back();
  if (whole.size() > most_digits || out.fraction.size() > max_fraction) return std::nullopt;
  if (whole.size() == most_digits && whole > std::to_string(UINT64_MAX)) return std::nullopt;
  out.whole = whole.empty() ? 0 : std::stoull(whole);
  out.negative = out.negative && !out.is_zero();
  return out;
}

GrammarRules::Node bounded_integer(GrammarRules& rules, const NumberBounds& bounds) {
  return bounded(rules, bounds, false, integer_between);
}

GrammarRules::Node bounded_number(GrammarRules& rules, const NumberBounds& bounds) {
  return bounded(rules, bounds, true, number_between);
}

}  // namespace quern
