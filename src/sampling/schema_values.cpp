// Strings and numbers of schemas. See schema_reader.h.
#include <algorithm>

#include "error.h"
#include "schema_logic.h"
#include "schema_reader.h"

namespace quern {

TextLimits SchemaReader::text_limits(const Schema& s) {
  TextLimits out;
  const auto add = [&](const Schema& pattern, std::vector<std::string>& to) {
    if (!pattern.is_string()) fail("has a pattern that is no string");
    to.push_back(pattern.get<std::string>());
  };
  if (s.contains("pattern")) add(s["pattern"], out.patterns);
  if (s.contains(patterns_keyword))
    for (const Schema& pattern : s[patterns_keyword]) add(pattern, out.patterns);
  if (s.contains(not_patterns_keyword))
    for (const Schema& pattern : s[not_patterns_keyword]) add(pattern, out.not_patterns);
  for (const Schema& text : excluded(s, &Schema::is_string)) out.excluded.push_back(text.get<std::string>());
  if (s.contains("format") && s["format"].is_string()) out.format = s["format"].get<std::string>();
  out.min = count(s, "minLength", 0);
  out.max = count(s, "maxLength", GrammarRules::unlimited);
  return out;
}

// Of the values that a `not` forbids, those of a kind.
Schema SchemaReader::excluded(const Schema& s, bool (Schema::*is)() const noexcept) {
  Schema out = Schema::array();
  if (s.contains(excluded_keyword))
    for (const Schema& value : s[excluded_keyword])
      if ((value.*is)()) out.push_back(value);
  return out;
}

SchemaReader::Node SchemaReader::string(const Schema& s) {
  const TextLimits limits = text_limits(s);
  const auto [found, is_new] = strings_.try_emplace(limits, 0);
  if (is_new) found->second = TextStrings(limits, {}, grammar_work_).matching(0, json_, rules_);
  return found->second;
}

NumberLimits SchemaReader::number_limits(const Schema& s) {
  NumberLimits out;
  const auto number = [](const Schema& value, const std::string& name) {
    if (!value.is_number()) fail("has a " + name + " that is no number");
    auto decimal = Decimal::parse(value.dump());
    if (!decimal) fail("has a " + name + " with more digits than are supported", Status::unsupported);
    return *decimal;
  };
  const auto read = [&](const char* keyword, const char* exclusive, int tighter, std::optional<Decimal>& bound,
                        bool& is_excluded) {
    if (s.contains(keyword)) bound = number(s[keyword], keyword);
    if (!s.contains(exclusive)) return;
    if (s[exclusive].is_boolean()) {  // draft 4
      is_excluded = s[exclusive] == true;
      return;
    }
    const Decimal other = number(s[exclusive], exclusive);
    if (bound && compare(other, *bound) * tighter < 0) return;
    bound = other;
    is_excluded = true;
  };
  read("minimum", "exclusiveMinimum", 1, out.bounds.min, out.bounds.min_excluded);
  read("maximum", "exclusiveMaximum", -1, out.bounds.max, out.bounds.max_excluded);
  const auto add_multiple = [&](const Schema& value) {
    out.multiples.push_back(number(value, "multipleOf"));
    if (out.multiples.back().negative || out.multiples.back().is_zero()) fail("has a multipleOf that is not above 0");
  };
  if (s.contains("multipleOf")) add_multiple(s["multipleOf"]);
  if (s.contains(multiples_keyword))
    for (const Schema& value : s[multiples_keyword]) add_multiple(value);
  for (const Schema& value : excluded(s, &Schema::is_number)) out.excluded.push_back(number(value, "not"));
  return out;
}

SchemaReader::Node SchemaReader::number(const Schema& s) {
  const NumberLimits limits = number_limits(s);
  return limits.none() ? json_.number() : limited_number(rules_, limits, false, grammar_work_);
}

SchemaReader::Node SchemaReader::integer(const Schema& s) {
  return limited_number(rules_, number_limits(s), true, grammar_work_);
}

}  // namespace quern
