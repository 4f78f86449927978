// multipleOf and exceptions: bounds and what they are held to besides go through one automaton. See json_number.h.
#include <algorithm>

#include "error.h"
#include "json_number.h"
#include "string_format.h"
#include "text_automaton.h"

namespace quern {
namespace {

using Node = GrammarRules::Node;

constexpr size_t max_divisor_digits = 18;
constexpr uint64_t most_counted = 1000;
constexpr size_t most_together = 256;  // exceptions in one automaton: at most 100 states each before it is one
constexpr uint64_t steps_of_multiple = 64;
constexpr const char *any_integer = "-?(0|[1-9]\\d*)", *any_number = "-?(0|[1-9]\\d*)(\\.\\d+)?";

// A number as a whole number over a power of ten.
struct Scaled {
  uint64_t value;
  uint32_t places;
};

[[noreturn]] void fail_multiples() {
  throw Error(Status::unsupported,
              "grammar: the schema has the keyword \"multipleOf\" with a number that takes more than " +
                  std::to_string(TextAutomaton::max_states) +
                  " states, which is not supported; a smaller one, or one with small prime "
                  "factors beside powers of 10, is");
}

Scaled scaled(const Decimal& d) {
  const std::string digits = std::to_string(d.whole) + d.fraction;
  if (digits.size() > max_divisor_digits) fail_multiples();
  return {std::stoull(digits), static_cast<uint32_t>(d.fraction.size())};
}

// Factors of which a number is a multiple exactly where it is one of d: powers of 2 and 5, whose automata are small,
// and the rest.
std::vector<uint64_t> factors_of(uint64_t d) {
  std::vector<uint64_t> out;
  for (const uint64_t prime : {2, 5}) {
    uint64_t power = 1;
    for (; d % prime == 0; d /= prime) power *= prime;
    if (power > 1) out.push_back(power);
  }
  if (d > 1 || out.empty()) out.push_back(d);
  return out;
}

// Every way to write a number without exponent.
Node spellings(GrammarRules& rules, const Decimal& d) {
  const Node zeros = rules.repeat(rules.literal("0"), 0, GrammarRules::unlimited);
  const std::string whole = std::to_string(d.whole);
  if (!d.fraction.empty())
    return rules.sequence({rules.literal((d.negative ? "-" : "") + whole + "." + d.fraction), zeros});
  const Node sign = d.is_zero() ? rules.optional(rules.literal("-")) : rules.literal(d.negative ? "-" : "");
  return rules.sequence({sign, rules.literal(whole), rules.optional(rules.sequence({rules.literal("."), zeros}))});
}

// Counting digits beside the remainders of a large number would take too many states: then nobody counts them.
bool needs_room(const NumberLimits& limits) {
  const auto is_large = [](const Decimal& d) {
    const std::vector<uint64_t> factors = factors_of(scaled(d).value);
    return *std::max_element(factors.begin(), factors.end()) > most_counted;
  };
  return !limits.bounds.min && !limits.bounds.max &&
         std::any_of(limits.multiples.begin(), limits.multiples.end(), is_large);
}
}  // namespace

GrammarRules::Node limited_number(GrammarRules& rules, const NumberLimits& limits, bool integer, GrammarWork& work) {
  const auto bounded = integer ? bounded_integer : bounded_number;
  if (limits.only_bounds()) return bounded(rules, limits.bounds);
  GrammarRules own;
  const Node numbers = needs_room(limits)
                           ? read_pattern(own, integer ? any_integer : any_number, "grammar: a number", true, work)
                           : bounded(own, limits.bounds);
  std::vector<Node> nodes = {numbers};
  for (size_t i = 0; i < limits.excluded.size(); i += most_together) {
    std::vector<Node> some;
    for (size_t j = i; j < std::min(i + most_together, limits.excluded.size()); ++j)
      some.push_back(spellings(own, limits.excluded[j]));
    nodes.push_back(own.choice(std::move(some)));
  }
  const auto alphabet = TextAlphabet::of(own, nodes, work, U"0123456789-.");
  if (!alphabet) fail_multiples();
  auto all = TextAutomaton::of(own, numbers, *alphabet);
  const auto hold = [&](const std::optional<TextAutomaton>& one) {
    if (all && one) all = all->intersected(*one);
    if (!all || !one) fail_multiples();
  };
  for (size_t i = 1; i < nodes.size(); ++i) {
    const auto some = TextAutomaton::of(own, nodes[i], *alphabet);
    hold(some ? std::optional(some->complement()) : std::nullopt);
  }
  for (const Decimal& d : limits.multiples) {
    const Scaled s = scaled(d);
    for (const uint64_t factor : factors_of(s.value)) hold(TextAutomaton::multiples(factor, s.places, *alphabet));
  }
  const auto node = all->write(rules, 0, GrammarRules::unlimited, [&](const CodeSet& set) { return rules.chars(set); });
  if (!node) fail_multiples();
  return *node;
}

bool number_fits(const Decimal& number, const NumberLimits& limits, GrammarWork& work) {
  work.spend(steps_of_multiple * limits.multiples.size() + limits.excluded.size());
  const NumberBounds& b = limits.bounds;
  if (b.min && compare(number, *b.min) < (b.min_excluded ? 1 : 0)) return false;
  if (b.max && compare(number, *b.max) > (b.max_excluded ? -1 : 0)) return false;
  const auto is = [&](const Decimal& d) { return compare(d, number) == 0; };
  if (std::any_of(limits.excluded.begin(), limits.excluded.end(), is)) return false;
  const auto fits = [&](const Decimal& divisor) {
    // Both over the same power of ten, as far as that goes: a finer number is no multiple of a coarser one's digits.
    const Scaled d = scaled(divisor);
    if (number.fraction.size() > d.places) return false;
    const std::string digits =
        std::to_string(number.whole) + number.fraction + std::string(d.places - number.fraction.size(), '0');
    uint64_t rest = 0;
    for (const char c : digits) rest = (rest * 10 + static_cast<uint64_t>(c - '0')) % d.value;
    return rest == 0;
  };
  return std::all_of(limits.multiples.begin(), limits.multiples.end(), fits);
}

}  // namespace quern
