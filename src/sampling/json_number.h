// Numbers between bounds, as rules over their decimal digits.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grammar_rules.h"
#include "grammar_work.h"

namespace quern {

struct Decimal {
  bool negative = false;
  uint64_t whole = 0;    // of the magnitude
  std::string fraction;  // digits behind the point, the last not 0

  bool is_zero() const { return whole == 0 && fraction.empty(); }
  // From a number of JSON; nothing if it is larger or finer than that.
  static std::optional<Decimal> parse(std::string_view text);
};

// Negative, 0 or positive as a is smaller than b, equal, or larger.
int compare(const Decimal& a, const Decimal& b);

struct NumberBounds {
  std::optional<Decimal> min, max;
  bool min_excluded = false, max_excluded = false;
};

// The integers, or the numbers without exponent, between the bounds: on a side without one those of int64, and of 18
// digits without any. Where there are none: a rule that nothing matches. No part is a reference.
GrammarRules::Node bounded_integer(GrammarRules& rules, const NumberBounds& bounds);
GrammarRules::Node bounded_number(GrammarRules& rules, const NumberBounds& bounds);

// What else a number may be held to.
struct NumberLimits {
  NumberBounds bounds;
  std::vector<Decimal> multiples;  // it is a multiple of each, all above 0
  std::vector<Decimal> excluded;   // it is none of these

  bool only_bounds() const { return multiples.empty() && excluded.empty(); }
  bool none() const { return only_bounds() && !bounds.min && !bounds.max; }
};

// Throws Error unsupported for multiples that take too many states, and as GrammarWork::spend.
GrammarRules::Node limited_number(GrammarRules& rules, const NumberLimits& limits, bool integer, GrammarWork& work);
// Whether the limits allow a number. Throws Error as GrammarWork::spend.
bool number_fits(const Decimal& number, const NumberLimits& limits, GrammarWork& work);

}  // namespace quern
