// Arrays of schemas. See schema_reader.h.
#include <algorithm>
#include <bit>
#include <map>

#include "error.h"
#include "schema_logic.h"
#include "schema_reader.h"

namespace quern {
namespace {

constexpr size_t max_enumerated = 64;    // values of items that are to differ
constexpr size_t max_selections = 4096;  // of them, that an array may have so far
constexpr int max_enumeration_depth = 32;

// How many selections of at most `most` of n there are, up to max_selections + 1.
size_t selections(size_t n, size_t most) {
  size_t all = 0, of_size = 1;
  for (size_t k = 0; k <= std::min(n, most); ++k) {
    all += of_size;
    if (all > max_selections) return max_selections + 1;
    of_size = of_size * (n - k) / (k + 1);
  }
  return all;
}

// A list of all, and perhaps one more at each end; nothing if they are many.
std::optional<Schema> integers_between(const NumberBounds& bounds) {
  if (!bounds.min || !bounds.max || bounds.min->whole > INT32_MAX || bounds.max->whole > INT32_MAX) return std::nullopt;
  const auto whole = [](const Decimal& d) {
    return d.negative ? -static_cast<int64_t>(d.whole) : static_cast<int64_t>(d.whole);
  };
  const int64_t first = whole(*bounds.min) - 1, last = whole(*bounds.max) + 1;
  if (last - first > 2 * static_cast<int64_t>(max_enumerated)) return std::nullopt;
  Schema out = Schema::array();
  for (int64_t i = first; i <= last; ++i) out.push_back(i);
  return out;
}

}  // namespace

SchemaReader::Node SchemaReader::array(const Schema& s) {
  const uint32_t min = count(s, "minItems", 0), max = count(s, "maxItems", GrammarRules::unlimited);
  // Before 2020 a list of items was what prefixItems is now, and additionalItems what items is.
  const bool old = s.contains("items") && s["items"].is_array();
  const Schema prefix = old ? s["items"] : s.contains("prefixItems") ? s["prefixItems"] : Schema::array();
  const char* const rest_key = old ? "additionalItems" : "items";
  if (!prefix.is_array()) fail("has a prefixItems that is no array");
  if (!excluded(s, &Schema::is_array).empty())
    fail("has a \"not\" of arrays, which is not supported", Status::unsupported);
  const bool wants_rest = prefix.empty() || min > prefix.size();
  const Schema rest = s.contains(rest_key) ? s[rest_key] : Schema(wants_rest);
  if (min > max) return json_.nothing();
  if (s.contains("uniqueItems") && s["uniqueItems"] == true && max > 1) {
    if (!prefix.empty()) fail("has \"uniqueItems\" beside prefixItems, which is not supported", Status::unsupported);
    return unique_array(rest, min, max);
  }
  if (prefix.empty()) return json_.array_of(schema(rest), min, max);
  const uint32_t n = static_cast<uint32_t>(std::min<size_t>(prefix.size(), max));
  // From the end: what follows the first i items, the comma before it included.
  const uint32_t more = max == GrammarRules::unlimited ? max : max - n;
  Node tail = rules_.empty();
  if (more > 0 && n == prefix.size()) {
    tail = rules_.repeat(rules_.sequence({json_.comma(), schema(rest)}), min > n ? min - n : 0, more);
  }
  for (uint32_t i = n; i-- > 0;) {
    const Node item = schema(prefix[i]);
    tail = i > 0 ? rules_.sequence({json_.comma(), item, tail}) : rules_.sequence({item, tail, json_.space()});
    if (i >= min) tail = rules_.optional(tail);
  }
  return rules_.sequence({rules_.literal("["), json_.space(), tail, rules_.literal("]")});
}

// The values that a schema accepts, if they are known; each once. Of more than max_enumerated, one more than that.
std::optional<std::vector<Schema>> SchemaReader::enumerated(const Schema& given, int depth) {
  if (depth > max_enumeration_depth) return std::nullopt;
  const Schema s = given.is_object() ? without_logic(merger_.flatten(given), merger_) : given;
  std::vector<Schema> out;
  const auto add = [&](const Schema& value) {
    if (std::find(out.begin(), out.end(), value) == out.end()) out.push_back(value);
    return out.size() <= max_enumerated;
  };
  if (s == false) return out;
  if (!s.is_object()) return std::nullopt;
  for (const char* keyword : {"anyOf", "oneOf"}) {
    if (!s.contains(keyword)) continue;
    if (!s[keyword].is_array()) return std::nullopt;
    Schema rest = s;
    rest.erase(keyword);
    for (const Schema& branch : s[keyword]) {
      const auto some = enumerated(merger_.merge(rest, branch), depth + 1);
      if (!some) return std::nullopt;
      if (!std::all_of(some->begin(), some->end(), add)) return out;
    }
    return out;
  }
  if (has_list(s)) {
    each_fitting(list_of(s), s, add);
    return out;
  }
  for (const std::string& type : types(s)) {
    if (type == "boolean") {
      each_fitting(Schema::array({true, false}), s, add);
    } else if (type == "null") {
      each_fitting(Schema::array({nullptr}), s, add);
    } else if (type == "integer") {
      const auto range = integers_between(number_limits(s).bounds);
      if (!range) return std::nullopt;
      each_fitting(*range, s, add);
    } else {
      return std::nullopt;
    }
  }
  return out;
}

// An array none of whose items is there twice: a rule for each selection of the values that are possible.
SchemaReader::Node SchemaReader::unique_array(const Schema& items, uint32_t min, uint32_t max) {
  const auto values = enumerated(items);
  if (!values || values->size() > max_enumerated)
    fail("has the keyword \"uniqueItems\" for items that are not a list of at most " + std::to_string(max_enumerated) +
             " values (enum, const, boolean, null, or an integer's range), which is not supported",
         Status::unsupported);
  const size_t n = values->size(), most = std::min<size_t>(n, max);
  if (min > n) return json_.nothing();
  if (selections(n, most) > max_selections)
    fail("has the keyword \"uniqueItems\" for " + std::to_string(n) + " values, more than " +
             std::to_string(max_selections) + " selections of which are not supported; a smaller maxItems is",
         Status::unsupported);
  std::vector<Node> texts;
  for (const Schema& value : *values) texts.push_back(rules_.literal(value.dump()));
  std::map<uint64_t, uint32_t> rule_of = {{0, rules_.add_rule("items that differ")}};
  std::vector<uint64_t> chosen = {0};
  for (size_t at = 0; at < chosen.size(); ++at) {
    const uint64_t had = chosen[at];
    const size_t n_had = static_cast<size_t>(std::popcount(had));
    std::vector<Node> ways = {n_had >= min ? rules_.empty() : json_.nothing()};
    for (size_t i = 0; i < n && n_had < most; ++i) {
      if (had >> i & 1) continue;
      const auto [found, is_new] = rule_of.try_emplace(had | uint64_t{1} << i, 0);
      if (is_new) {
        found->second = rules_.add_rule("items that differ");
        chosen.push_back(found->first);
      }
      const Node rest = rules_.reference(found->second);
      ways.push_back(rules_.sequence({n_had > 0 ? json_.comma() : rules_.empty(), texts[i], rest}));
    }
    rules_.define(rule_of.at(had), rules_.choice(std::move(ways)));
  }
  return rules_.sequence(
      {rules_.literal("["), json_.space(), rules_.reference(rule_of.at(0)), json_.space(), rules_.literal("]")});
}

}  // namespace quern
