// Objects of schemas. See schema_reader.h.
#include <algorithm>

#include "error.h"
#include "schema_logic.h"
#include "schema_reader.h"

namespace quern {
namespace {

constexpr size_t max_name_patterns = 6;      // each name matches some of them: two to the power of this many ways
constexpr size_t max_counted_members = 128;  // properties beside minProperties or maxProperties

Schema member(const Schema& s, const char* name, Schema absent) {
  return s.contains(name) ? s[name] : std::move(absent);
}

// Draft 3 had a flag of this name in the properties.
Schema required_of(const Schema& s) {
  return s.contains("required") && s["required"].is_array() ? s["required"] : Schema::array();
}

}  // namespace

SchemaReader::Node SchemaReader::object(const Schema& s) {
  const Schema listed = member(s, "properties", Schema::object());
  const Schema required = required_of(s), patterns = member(s, "patternProperties", Schema::object());
  if (!listed.is_object()) fail("has a properties that is no object");
  if (!patterns.is_object()) fail("has a patternProperties that is no object");
  if (!excluded(s, &Schema::is_object).empty())
    fail("has a \"not\" of objects, which is not supported", Status::unsupported);
  const uint32_t min = count(s, "minProperties", 0), max = count(s, "maxProperties", GrammarRules::unlimited);
  if (min > max) return json_.nothing();
  const bool free = listed.empty() && patterns.empty() && required.empty();
  // What is said of names that are not listed: only where it is asked for are there any beside listed ones.
  const Schema rest = member(s, "additionalProperties", true);
  const Names names = names_of(s);
  if (patterns.size() > max_name_patterns && !names.only && !names.none)
    fail("has more than " + std::to_string(max_name_patterns) + " patternProperties, which is not supported",
         Status::unsupported);
  const std::vector<Property> properties = properties_of(s, names, rest);
  const bool wanted = s.contains("additionalProperties") || free ||
                      (listed.empty() && patterns.empty() && names.only) ||
                      (patterns.empty() && min > properties.size());
  const auto other =
      names.only || names.none ? std::nullopt : others_of(s, names, properties, wanted ? rest : Schema(false));
  if (properties.empty())
    return other     ? json_.object_of(*other, min, max)
           : min > 0 ? json_.nothing()
                     : json_.object_of(json_.nothing(), 0, 0);
  if ((min > 0 || max < properties.size()) && properties.size() > max_counted_members)
    fail("has minProperties or maxProperties beside more than " + std::to_string(max_counted_members) +
             " properties, which is not supported",
         Status::unsupported);
  return rules_.sequence(
      {rules_.literal("{"), json_.space(), members(properties, other, min, max), json_.space(), rules_.literal("}")});
}

// propertyNames: a schema for strings.
SchemaReader::Names SchemaReader::names_of(const Schema& s) {
  Names out;
  if (!s.contains("propertyNames")) return out;
  const Schema names = without_logic(merger_.flatten(s["propertyNames"]), merger_);
  out.none = names == false;
  if (names.is_boolean()) return out;
  if (!names.is_object()) fail("has a propertyNames that is neither an object nor a boolean");
  for (const char* keyword : {"anyOf", "oneOf"})
    if (names.contains(keyword))
      fail(std::string("has a propertyNames with \"") + keyword + "\", which is not supported", Status::unsupported);
  const std::vector<std::string> allowed = types(names);
  const bool typed = names.contains("type");
  if (typed && std::find(allowed.begin(), allowed.end(), "string") == allowed.end()) out.none = true;
  out.limits = text_limits(names);
  if (!has_list(names)) return out;
  out.only.emplace();
  each_fitting(list_of(names), names, [&](const Schema& value) {
    if (value.is_string() && out.among.insert(value.get<std::string>()).second)
      out.only->push_back(value.get<std::string>());
    return true;
  });
  return out;
}

// What a property's value is held to: its own schema or `otherwise`, and those of the patterns that its name matches.
Schema SchemaReader::value_of(const Schema& s, const std::string& name, NamePatterns& patterns,
                              const Schema& otherwise) {
  const bool listed = s.contains("properties") && s["properties"].contains(name);
  Schema value = listed ? s["properties"][name] : Schema(true);
  bool matched = false;
  patterns.each(name, [&](const Schema& schema) {
    value = both(value, schema);
    return matched = true;
  });
  return listed || matched ? value : otherwise;
}

// Those that are listed, required or the only ones, in this order.
std::vector<SchemaReader::Property> SchemaReader::properties_of(const Schema& s, const Names& names,
                                                                const Schema& more) {
  std::vector<Property> out;
  std::set<std::string> known;
  std::set<std::string> required;
  for (const Schema& name : required_of(s)) {
    if (!name.is_string()) fail("has a required that is no list of strings");
    required.insert(name.get<std::string>());
  }
  TextTest limits(names.limits, grammar_work_);
  const auto allowed = [&](const std::string& name) {
    if (names.none) return false;
    return names.only ? names.among.contains(name) : limits.fits(name);
  };
  NamePatterns patterns(s, grammar_work_);
  const auto add = [&](const std::string& name) {
    if (!known.insert(name).second) return;
    const Schema value = allowed(name) ? value_of(s, name, patterns, more) : Schema(false);
    out.push_back({name, rules_.sequence({json_.key(name), schema(value)}), required.contains(name)});
  };
  const Schema listed = member(s, "properties", Schema::object());
  for (const auto& [name, value] : listed.items()) add(name);
  for (const Schema& name : required_of(s)) add(name.get<std::string>());
  if (names.only && (s.contains("additionalProperties") || !s.contains("properties")))
    for (const std::string& name : *names.only) add(name);
  return out;
}

// A member whose name is not listed: for each choice of the patterns, names that match these and no other of them.
std::optional<SchemaReader::Node> SchemaReader::others_of(const Schema& s, const Names& names,
                                                          const std::vector<Property>& listed, const Schema& more) {
  const Schema patterns = member(s, "patternProperties", Schema::object());
  std::vector<std::string> known;
  for (const Property& p : listed) known.push_back(p.name);
  if (patterns.empty() && names.limits.none()) {
    if (more == false) return std::nullopt;
    return rules_.sequence({json_.other_key(std::move(known)), schema(more)});
  }
  TextLimits limits = names.limits;
  limits.excluded.insert(limits.excluded.end(), known.begin(), known.end());
  std::vector<std::string> texts;
  for (const auto& [pattern, schema] : patterns.items()) texts.push_back(pattern);
  TextStrings strings(std::move(limits), std::move(texts), grammar_work_);
  std::vector<Node> ways;
  for (uint32_t matched = 0; matched < 1u << patterns.size(); ++matched) {
    Schema value = matched == 0 ? more : Schema(true);
    uint32_t i = 0;
    for (const Schema& of_pattern : patterns)
      if (matched >> i++ & 1) value = both(value, of_pattern);
    if (value == false) continue;
    const Node name = strings.matching(matched, json_, rules_);
    ways.push_back(rules_.sequence({name, rules_.literal(":"), json_.space(), schema(value)}));
  }
  if (ways.empty()) return std::nullopt;
  return as_rule(rules_.choice(std::move(ways)));
}

// The properties in order, the optional ones or not, and others, with commas between; min to max of all.
SchemaReader::Node SchemaReader::members(const std::vector<Property>& properties, const std::optional<Node>& other,
                                         uint32_t min, uint32_t max) {
  const uint32_t n = static_cast<uint32_t>(properties.size());
  const bool counts = min > 0 || max < GrammarRules::unlimited;
  const uint32_t most = counts ? n : 1;  // as far as members are counted
  const auto from = [&](uint32_t bound, uint32_t had) {
    return bound == GrammarRules::unlimited ? bound : bound > had ? bound - had : 0;
  };
  // What can follow when `had` members are there, from the last property to the first.
  std::vector<Node> after(most + 1);
  for (uint32_t had = 0; had <= most; ++had) {
    const uint32_t low = from(min, had), high = from(max, had);
    if (counts && had > max) {
      after[had] = json_.nothing();
    } else if (!other || high == 0) {
      after[had] = low > 0 ? json_.nothing() : rules_.empty();
    } else if (had > 0) {
      after[had] = rules_.repeat(rules_.sequence({json_.comma(), *other}), low, high);
    } else {
      const Node rest = rules_.repeat(rules_.sequence({json_.comma(), *other}), low > 0 ? low - 1 : 0, from(high, 1));
      const Node some = rules_.sequence({*other, rest});
      after[had] = low > 0 ? some : rules_.optional(some);
    }
  }
  for (uint32_t i = n; i-- > 0;) {
    const Node one = as_rule(properties[i].member);
    std::vector<Node> now(most + 1, json_.nothing());
    for (Node& node : after) node = as_rule(node);
    for (uint32_t had = 0; had <= std::min(most, counts ? i : 1u); ++had) {
      const Node with =
          rules_.sequence({had > 0 ? json_.comma() : rules_.empty(), one, after[std::min(had + 1, most)]});
      now[had] = properties[i].required ? with : rules_.choice({with, after[had]});
    }
    after = std::move(now);
  }
  return after[0];
}

SchemaReader::Node SchemaReader::as_rule(Node node) {
  const uint32_t rule = rules_.add_rule("a member");
  rules_.define(rule, node);
  return rules_.reference(rule);
}

}  // namespace quern
