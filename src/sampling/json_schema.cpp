// See json_schema.h. One rule per schema that occurs, known by its text, so that recursive schemas end.
#include "json_schema.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "error.h"
#include "io/json.h"
#include "json_number.h"
#include "json_rules.h"
#include "schema_merge.h"
#include "string_format.h"

namespace quern {
namespace {

using Node = GrammarRules::Node;

constexpr size_t max_text = size_t{256} << 10, max_schema_work = size_t{64} << 20;  // bytes
constexpr int max_schema_depth = 200;

// Assertions that are not understood: to leave them out would let through what they forbid.
constexpr const char* unsupported_keywords[] = {"not",
                                                "if",
                                                "then",
                                                "else",
                                                "dependentSchemas",
                                                "dependentRequired",
                                                "dependencies",
                                                "contains",
                                                "minContains",
                                                "maxContains",
                                                "patternProperties",
                                                "propertyNames",
                                                "uniqueItems",
                                                "multipleOf",
                                                "unevaluatedProperties",
                                                "unevaluatedItems",
                                                "$dynamicRef",
                                                "$recursiveRef"};

class SchemaReader {
 public:
  SchemaReader(const Schema& root, GrammarRules& rules) : rules_(rules), json_(rules), merger_(root) {}

  uint32_t read(const Schema& root) {
    const uint32_t rule = rules_.add_rule("root");
    rules_.define(rule, schema(root));
    return rule;
  }

 private:
  [[noreturn]] static void fail(const std::string& what, Status status = Status::bad_argument) {
    throw Error(status, "grammar: the schema " + what);
  }

  // What matches the values that a schema accepts.
  Node schema(const Schema& s) {
    if (s == true || (s.is_object() && only_annotates(s, ""))) return json_.value();
    if (s == false) return json_.nothing();
    if (!s.is_object()) fail("has a part that is neither an object nor a boolean: " + printable(s.dump(), 40));
    if (s.contains("$ref") && only_annotates(s, "$ref") && merger_.target(s["$ref"]) != s) {
      return schema_rule(merger_.target(s["$ref"]));
    }
    return schema_rule(s);
  }

  Node schema_rule(const Schema& s) {
    const std::string text = s.dump();
    work_ += text.size();
    if (work_ > max_schema_work || depth_ > max_schema_depth) fail("is too large or too deeply nested");
    const auto [found, is_new] = known_.try_emplace(text, 0);
    if (!is_new) return rules_.reference(found->second);
    const uint32_t rule = rules_.add_rule("schema " + printable(text, 40));
    found->second = rule;
    ++depth_;
    rules_.define(rule, s.is_boolean() ? schema(s) : flat(merger_.flatten(s)));
    --depth_;
    return rules_.reference(rule);
  }

  // A schema without $ref and allOf.
  Node flat(const Schema& s) {
    if (!s.is_object()) return schema(s);
    for (const char* keyword : unsupported_keywords) {
      if (!s.contains(keyword) || s[keyword] == false) continue;
      fail("has the keyword \"" + std::string(keyword) + "\", which is not supported", Status::unsupported);
    }
    for (const char* keyword : {"anyOf", "oneOf"})
      if (s.contains(keyword)) return any_of(s, keyword);
    if (s.contains("enum") || s.contains("const")) return values(s);
    std::vector<Node> ways;
    for (const std::string& type : types(s)) ways.push_back(of_type(type, s));
    if (ways.empty()) return json_.nothing();
    return rules_.choice(std::move(ways));
  }

  Node any_of(const Schema& s, const char* keyword) {
    if (!s[keyword].is_array()) fail(std::string("has an ") + keyword + " that is no array");
    Schema rest = s;
    rest.erase(keyword);
    std::vector<Node> ways = {json_.nothing()};
    for (const Schema& branch : s[keyword]) {
      ways.push_back(schema(only_annotates(rest, "") ? branch : merger_.merge(rest, branch)));
    }
    return rules_.choice(std::move(ways));
  }

  Node values(const Schema& s) {
    Schema list = s.contains("enum") ? s["enum"] : Schema::array({s["const"]});
    if (!list.is_array()) fail("has an enum that is no array");
    const std::vector<std::string> allowed = types(s);
    const bool any = !s.contains("type");
    std::vector<Node> ways = {json_.nothing()};
    for (const Schema& value : list) {
      const bool fits =
          any || std::any_of(allowed.begin(), allowed.end(), [&](const auto& t) { return is_of(value, t); });
      if (fits && (!s.contains("const") || value == s["const"])) ways.push_back(rules_.literal(value.dump()));
    }
    return rules_.choice(std::move(ways));
  }
  static bool is_of(const Schema& value, const std::string& type) {
    if (type == "number") return value.is_number();
    if (type == "integer" && value.is_number_float()) {
      const auto d = Decimal::parse(value.dump());
      return d && d->fraction.empty();
    }
    return type == (value.is_number_integer() ? "integer" : value.type_name());
  }

  // A type, the keywords that are about it, and what makes its rule.
  struct Type {
    const char* name;
    std::vector<const char*> keywords;
    Node (SchemaReader::*make)(const Schema&);
  };
  static const std::vector<Type>& type_table() {
    static const std::vector<Type> table = {
        {"object",
         {"properties", "required", "additionalProperties", "minProperties", "maxProperties"},
         &SchemaReader::object},
        {"array", {"items", "prefixItems", "additionalItems", "minItems", "maxItems"}, &SchemaReader::array},
        {"string", {"minLength", "maxLength", "pattern", "format"}, &SchemaReader::string},
        {"number", {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}, &SchemaReader::number},
        {"integer", {}, &SchemaReader::integer},
        {"boolean", {}, &SchemaReader::boolean},
        {"null", {}, &SchemaReader::null},
    };
    return table;
  }

  // Those that the schema names; without any, those that its keywords are about; else all.
  static std::vector<std::string> types(const Schema& s) {
    std::vector<std::string> out;
    if (s.contains("type")) {
      const Schema list = s["type"].is_array() ? s["type"] : Schema::array({s["type"]});
      for (const Schema& name : list) {
        if (!name.is_string()) fail("has a type that is no string");
        out.push_back(name.get<std::string>());
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

  Node of_type(const std::string& name, const Schema& s) {
    for (const Type& type : type_table())
      if (name == type.name) return (this->*type.make)(s);
    fail("has the type \"" + printable(name) + "\", which is none of JSON's");
  }

  // A keyword that counts something, up to `unlimited`.
  static uint32_t count(const Schema& s, const char* keyword, uint32_t absent) {
    if (!s.contains(keyword)) return absent;
    const auto n = s[keyword].is_number() ? Decimal::parse(s[keyword].dump()) : std::nullopt;
    if (!n || n->negative || !n->fraction.empty()) fail(std::string("has a ") + keyword + " that is no count");
    return static_cast<uint32_t>(std::min<int64_t>(n->whole, GrammarRules::unlimited - 1));
  }

  Node string(const Schema& s) {
    const uint32_t min = count(s, "minLength", 0), max = count(s, "maxLength", GrammarRules::unlimited);
    std::optional<std::string> pattern;
    std::string where = "grammar: the schema's pattern";
    if (s.contains("pattern")) {
      if (!s["pattern"].is_string()) fail("has a pattern that is no string");
      pattern = s["pattern"].get<std::string>();
    }
    if (s.contains("format") && s["format"].is_string()) {
      const auto format = format_pattern(s["format"].get<std::string>());
      if (format && pattern) fail("has both a pattern and a format, which is not supported", Status::unsupported);
      if (format) pattern = format;
    }
    if (!pattern) return min > max ? json_.nothing() : json_.string(min, max);
    if (min > 0 || max != GrammarRules::unlimited) {
      fail("has a pattern or format together with minLength or maxLength, which is not supported", Status::unsupported);
    }
    return pattern_string(json_, rules_, *pattern, where);
  }

  static NumberBounds bounds(const Schema& s) {
    NumberBounds out;
    const auto read = [&](const char* keyword, const char* exclusive, std::optional<Decimal>& bound, bool& excluded) {
      const auto number = [&](const char* name) {
        if (!s[name].is_number()) fail(std::string("has a ") + name + " that is no number");
        auto value = Decimal::parse(s[name].dump());
        if (!value) fail(std::string("has a ") + name + " with more digits than are supported", Status::unsupported);
        return value;
      };
      if (s.contains(keyword)) bound = number(keyword);
      if (!s.contains(exclusive)) return;
      if (s[exclusive].is_boolean()) {  // draft 4
        excluded = s[exclusive] == true;
      } else if (!bound || (keyword[1] == 'i' ? s[exclusive] >= s[keyword] : s[exclusive] <= s[keyword])) {
        bound = number(exclusive);
        excluded = true;
      }
    };
    read("minimum", "exclusiveMinimum", out.min, out.min_excluded);
    read("maximum", "exclusiveMaximum", out.max, out.max_excluded);
    return out;
  }
  Node number(const Schema& s) {
    const NumberBounds b = bounds(s);
    return b.min || b.max ? bounded_number(rules_, b) : json_.number();
  }
  Node integer(const Schema& s) { return bounded_integer(rules_, bounds(s)); }
  Node boolean(const Schema&) { return json_.boolean(); }
  Node null(const Schema&) { return json_.null(); }

  Node array(const Schema& s) {
    const uint32_t min = count(s, "minItems", 0), max = count(s, "maxItems", GrammarRules::unlimited);
    // Before 2020 a list of items was what prefixItems is now, and additionalItems what items is.
    const bool old = s.contains("items") && s["items"].is_array();
    const Schema prefix = old ? s["items"] : s.contains("prefixItems") ? s["prefixItems"] : Schema::array();
    const char* const rest_key = old ? "additionalItems" : "items";
    if (!prefix.is_array()) fail("has a prefixItems that is no array");
    const bool wants_rest = prefix.empty() || min > prefix.size();
    const Schema rest = s.contains(rest_key) ? s[rest_key] : Schema(wants_rest);
    if (min > max) return json_.nothing();
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

  struct Property {
    std::string name;
    Node member;  // key and value
    bool required;
  };

  Node object(const Schema& s) {
    const Schema listed = s.contains("properties") ? s["properties"] : Schema::object();
    const Schema required = s.contains("required") && s["required"].is_array() ? s["required"] : Schema::array();
    if (!listed.is_object()) fail("has a properties that is no object");
    const bool has_more = s.contains("additionalProperties");
    const Schema more = has_more ? s["additionalProperties"] : Schema(listed.empty());
    const uint32_t min = count(s, "minProperties", 0), max = count(s, "maxProperties", GrammarRules::unlimited);
    if (listed.empty() && required.empty()) {
      return min > max ? json_.nothing() : json_.object_of(schema(more), min, more == false ? 0 : max);
    }
    std::vector<Property> properties;
    std::unordered_set<std::string> known;
    const auto add = [&](const std::string& name, const Schema& value, bool must) {
      known.insert(name);
      properties.push_back({name, rules_.sequence({json_.key(name), schema(value)}), must});
    };
    for (const auto& [name, value] : listed.items()) {
      add(name, value, std::find(required.begin(), required.end(), Schema(name)) != required.end());
    }
    size_t n_required = 0;
    for (const Schema& name : required) {
      if (!name.is_string()) fail("has a required that is no list of strings");
      const std::string text = name.get<std::string>();
      if (known.insert(text).second) add(text, has_more ? more : Schema(true), true);
      ++n_required;
    }
    if (min > n_required || max < properties.size() || (max != GrammarRules::unlimited && more != false)) {
      fail("has minProperties or maxProperties beside properties, which is not supported", Status::unsupported);
    }
    return members(properties, more);
  }

  // The properties in order, the optional ones or not, and any number of others, with commas between.
  Node members(const std::vector<Property>& properties, const Schema& more) {
    Node after = rules_.empty(), first = rules_.empty();  // what can follow: behind a member, or as the first
    if (more != false) {
      std::vector<std::string> names;
      for (const Property& p : properties) names.push_back(p.name);
      const Node other = rules_.sequence({json_.other_key(std::move(names)), schema(more)});
      after = rules_.repeat(rules_.sequence({json_.comma(), other}), 0, GrammarRules::unlimited);
      first = rules_.optional(rules_.sequence({other, after}));
    }
    for (size_t i = properties.size(); i-- > 0;) {
      const Property& p = properties[i];
      const Node member = as_rule(p.member), rest = as_rule(after);
      const Node here = rules_.sequence({member, rest});
      first = p.required ? here : as_rule(rules_.choice({here, first}));
      const Node with_comma = rules_.sequence({json_.comma(), member});
      after = rules_.sequence({p.required ? with_comma : rules_.optional(with_comma), rest});
    }
    const Node end = rules_.sequence({json_.space(), rules_.literal("}")});
    return rules_.sequence({rules_.literal("{"), json_.space(), first, end});
  }
  Node as_rule(Node node) {
    const uint32_t rule = rules_.add_rule("a member");
    rules_.define(rule, node);
    return rules_.reference(rule);
  }

  GrammarRules& rules_;
  JsonRules json_;
  SchemaMerger merger_;
  std::unordered_map<std::string, uint32_t> known_;
  size_t work_ = 0;
  int depth_ = 0;
};

}  // namespace

uint32_t read_json_schema(std::string_view text, GrammarRules& rules) {
  if (text.size() > max_text) {
    fail_grammar("the schema has " + std::to_string(text.size()) + " bytes, more than " + std::to_string(max_text));
  }
  Schema root;
  try {
    root = parse_ordered_json(text, "grammar: the schema");
  } catch (const Error& e) {
    throw Error(Status::bad_argument, e.message);
  }
  return SchemaReader(root, rules).read(root);
}

}  // namespace quern
