// Schemas as such: what they consist of, and their types. See schema_reader.h.
#include "json_schema.h"

#include <algorithm>

#include "error.h"
#include "io/json.h"
#include "schema_logic.h"
#include "schema_reader.h"

namespace quern {
namespace {

constexpr size_t max_text = size_t{256} << 10, max_schema_work = size_t{64} << 20;  // bytes
constexpr int max_schema_depth = 200;

// Assertions that are not understood: to leave them out would let through what they forbid.
constexpr const char* unsupported_keywords[] = {
    "contains",         "minContains", "maxContains",  "unevaluatedProperties",
    "unevaluatedItems", "$dynamicRef", "$recursiveRef"};

}  // namespace

uint32_t SchemaReader::read(const Schema& root) {
  const uint32_t rule = rules_.add_rule("root");
  rules_.define(rule, schema(root));
  return rule;
}

void SchemaReader::fail(const std::string& what, Status status) {
  throw Error(status, "grammar: the schema " + what);
}

SchemaReader::Node SchemaReader::schema(const Schema& s) {
  if (s == true || (s.is_object() && only_annotates(s, ""))) return json_.value();
  if (s == false) return json_.nothing();
  if (!s.is_object()) fail("has a part that is neither an object nor a boolean: " + printable(s.dump(), 40));
  if (s.contains("$ref") && only_annotates(s, "$ref") && merger_.target(s["$ref"]) != s) {
    return schema_rule(merger_.target(s["$ref"]));
  }
  return schema_rule(s);
}

SchemaReader::Node SchemaReader::schema_rule(const Schema& s) {
  const std::string text = s.dump();
  work_ += text.size();
  if (work_ > max_schema_work || depth_ > max_schema_depth) fail("is too large or too deeply nested");
  const auto [found, is_new] = known_.try_emplace(text, 0);
  if (!is_new) return rules_.reference(found->second);
  const uint32_t rule = rules_.add_rule("schema " + printable(text, 40));
  found->second = rule;
  ++depth_;
  rules_.define(rule, s.is_boolean() ? schema(s) : flat(without_logic(merger_.flatten(s), merger_)));
  --depth_;
  return rules_.reference(rule);
}

// A schema without $ref, allOf and what without_logic() does away with.
SchemaReader::Node SchemaReader::flat(const Schema& s) {
  if (!s.is_object()) return schema(s);
  for (const char* keyword : unsupported_keywords) {
    if (!s.contains(keyword) || s[keyword] == false) continue;
    fail("has the keyword \"" + std::string(keyword) + "\", which is not supported", Status::unsupported);
  }
  for (const char* keyword : {"anyOf", "oneOf"})
    if (s.contains(keyword)) return any_of(s, keyword);
  if (has_list(s)) return one_of(list_of(s), s);
  std::vector<Node> ways;
  for (const std::string& type : types(s)) ways.push_back(of_type(type, s));
  if (ways.empty()) return json_.nothing();
  return rules_.choice(std::move(ways));
}

SchemaReader::Node SchemaReader::any_of(const Schema& s, const char* keyword) {
  if (!s[keyword].is_array()) fail(std::string("has an ") + keyword + " that is no array");
  Schema rest = s;
  rest.erase(keyword);
  std::vector<Node> ways = {json_.nothing()};
  for (const Schema& branch : s[keyword]) {
    ways.push_back(schema(only_annotates(rest, "") ? branch : merger_.merge(rest, branch)));
  }
  return rules_.choice(std::move(ways));
}

const std::vector<SchemaReader::Type>& SchemaReader::type_table() {
  static const std::vector<Type> table = {
      {"object",
       {"properties", "required", "additionalProperties", "minProperties", "maxProperties", "patternProperties",
        "propertyNames"},
       &SchemaReader::object},
      {"array",
       {"items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems"},
       &SchemaReader::array},
      {"string",
       {"minLength", "maxLength", "pattern", "format", patterns_keyword, not_patterns_keyword},
       &SchemaReader::string},
      {"number",
       {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", multiples_keyword},
       &SchemaReader::number},
      {"integer", {}, &SchemaReader::integer},
      {"boolean", {}, &SchemaReader::boolean},
      {"null", {}, &SchemaReader::null},
  };
  return table;
}

// Those that the schema names, once each; without any, those that its keywords are about; else all.
std::vector<std::string> SchemaReader::types(const Schema& s) {
  std::vector<std::string> out;
  if (s.contains("type")) {
    const Schema list = s["type"].is_array() ? s["type"] : Schema::array({s["type"]});
    std::set<std::string> known;
    for (const Schema& name : list) {
      if (!name.is_string()) fail("has a type that is no string");
      if (known.insert(name.get<std::string>()).second) out.push_back(name.get<std::string>());
    }
  } else {
    for (const Type& type : type_table()) {
      const bool about =
          std::any_of(type.keywords.begin(), type.keywords.end(), [&](const char* k) { return s.contains(k); });
      if (about) out.push_back(type.name);
    }
    if (out.empty()) out = {"object", "array", "string", "number", "boolean", "null"};
  }
  const bool nullable = s.contains("nullable") && s["nullable"] == true;
  if (nullable && std::find(out.begin(), out.end(), "null") == out.end()) out.push_back("null");
  return out;
}

SchemaReader::Node SchemaReader::of_type(const std::string& name, const Schema& s) {
  for (const Type& type : type_table())
    if (name == type.name) return (this->*type.make)(s);
  fail("has the type \"" + printable(name) + "\", which is none of JSON's");
}

// A keyword that counts something, up to `unlimited`.
uint32_t SchemaReader::count(const Schema& s, const char* keyword, uint32_t absent) {
  if (!s.contains(keyword)) return absent;
  const auto n = s[keyword].is_number() ? Decimal::parse(s[keyword].dump()) : std::nullopt;
  if (!n || n->negative || !n->fraction.empty()) fail(std::string("has a ") + keyword + " that is no count");
  if (absent == GrammarRules::unlimited && n->whole > GrammarRules::max_repeat) return absent;
  return static_cast<uint32_t>(std::min<uint64_t>(n->whole, GrammarRules::unlimited - 1));
}

uint32_t read_json_schema(std::string_view text, GrammarRules& rules, GrammarWork& work) {
  if (text.size() > max_text) {
    fail_grammar("the schema has " + std::to_string(text.size()) + " bytes, more than " + std::to_string(max_text));
  }
  const Schema root = parse_ordered_json(text, "grammar: the schema");
  return SchemaReader(root, rules, work).read(root);
}

}  // namespace quern
