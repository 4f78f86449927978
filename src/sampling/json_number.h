// Numbers between bounds, as rules over their decimal digits.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "grammar_rules.h"

namespace quern {

struct Decimal {
  bool negative = false;
  int64_t whole = 0;     // of the magnitude; below 10^18
  std::string fraction;  // digits behind the point, the last not 0

  bool is_zero() const { return whole == 0 && fraction.empty(); }
  // From a number of JSON; nothing if it is larger or finer than that.
  static std::optional<Decimal> parse(std::string_view text);
};

struct NumberBounds {
  std::optional<Decimal> min, max;
  bool min_excluded = false, max_excluded = false;
};

// The integers, or the numbers without exponent, between the bounds. Where there are none: a rule that nothing matches.
GrammarRules::Node bounded_integer(GrammarRules& rules, const NumberBounds& bounds);
GrammarRules::Node bounded_number(GrammarRules& rules, const NumberBounds& bounds);

}  // namespace quern
