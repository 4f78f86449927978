// See schema_logic.h. A schema is a conjunction of its keywords, so its opposite is the choice of their opposites; the
// opposite of a keyword is a schema that also says which type the keyword is about.
#include "schema_logic.h"

#include <algorithm>

#include "error.h"
#include "grammar_rules.h"

namespace quern {
namespace {

constexpr int max_nots = 32;  // inside each other

class Negation {
 public:
  explicit Negation(const SchemaMerger& merger) : merger_(merger) {}

  Schema of(const Schema& given, int depth = 0) const {
    if (depth > max_nots) fail_grammar("the schema's not goes deeper than " + std::to_string(max_nots) + " levels");
    const Schema s = merger_.flatten(given);
    if (s.is_boolean()) return !s.get<bool>();
    if (!s.is_object()) fail_grammar("the schema has a not that is neither an object nor a boolean");
    Schema ways = Schema::array();
    for (const auto& [keyword, value] : s.items()) {
      if (is_annotation(keyword)) continue;
      ways.push_back(keyword_of(s, keyword, value, depth));
    }
    if (ways.empty()) return false;
    return ways.size() == 1 ? ways[0] : Schema{{"anyOf", ways}};
  }

 private:
  [[noreturn]] static void unsupported(const std::string& keyword) {
    throw Error(Status::unsupported,
                "grammar: the schema has a \"not\" or \"if\" of \"" + keyword + "\", which is not supported");
  }

  Schema keyword_of(const Schema& s, const std::string& keyword, const Schema& value, int depth) const {
    const struct {
      const char* keyword;
      const char* type;
      const char* opposite;
      int step;
    } counts[] = {
        {"minLength", "string", "maxLength", -1},
        {"maxLength", "string", "minLength", 1},
        {"minItems", "array", "maxItems", -1},
        {"maxItems", "array", "minItems", 1},
        {"minProperties", "object", "maxProperties", -1},
        {"maxProperties", "object", "minProperties", 1},
    };
    for (const auto& c : counts) {
      if (keyword != c.keyword) continue;
      if (!value.is_number_integer()) unsupported(keyword);
      const int64_t n = value.get<int64_t>() + c.step;
      return n < 0 ? Schema(false) : Schema{{"type", c.type}, {c.opposite, n}};
    }
    constexpr std::pair<const char*, const char*> bounds[] = {{"minimum", "exclusiveMaximum"},
                                                              {"maximum", "exclusiveMinimum"},
                                                              {"exclusiveMinimum", "maximum"},
                                                              {"exclusiveMaximum", "minimum"}};
    for (const auto& [name, opposite] : bounds) {
      if (keyword != name) continue;
      if (!value.is_number()) unsupported(keyword);
      return {{"type", "number"}, {opposite, value}};
    }
    if (keyword == "type") return not_types(value);
    if (keyword == "const") return {{excluded_keyword, Schema::array({value})}};
    if (keyword == "enum" && value.is_array()) return {{excluded_keyword, value}};
    if (keyword == "pattern") return {{"type", "string"}, {not_patterns_keyword, Schema::array({value})}};
    if (keyword == "required" && value.is_array()) return without_one(value);
    if (keyword == "properties" && value.is_object()) return with_a_wrong_one(value, depth);
    if (keyword == "not") return value;
    if (keyword == "anyOf") return {{"allOf", each(value, depth)}};
    if (keyword == "oneOf" && s[keyword].size() == 1) return of(value[0], depth + 1);
    unsupported(keyword);
  }

  static Schema not_types(const Schema& value) {
    const Schema given = value.is_array() ? value : Schema::array({value});
    const auto has = [&](const char* name) { return std::find(given.begin(), given.end(), name) != given.end(); };
    if (has("integer") && !has("number")) unsupported("type\": \"integer");
    Schema types = Schema::array();
    for (const char* name : {"object", "array", "string", "number", "boolean", "null"})
      if (!has(name)) types.push_back(name);
    return {{"type", types}};
  }

  static Schema without_one(const Schema& names) {
    Schema ways = Schema::array();
    for (const Schema& name : names) {
      if (!name.is_string()) fail_grammar("the schema has a required that is no list of strings");
      ways.push_back({{"type", "object"}, {"properties", {{name.get<std::string>(), false}}}});
    }
    return {{"anyOf", ways}};
  }

  Schema with_a_wrong_one(const Schema& properties, int depth) const {
    Schema ways = Schema::array();
    for (const auto& [name, schema] : properties.items()) {
      ways.push_back(
          {{"type", "object"}, {"required", Schema::array({name})}, {"properties", {{name, of(schema, depth + 1)}}}});
    }
    return {{"anyOf", ways}};
  }

  Schema each(const Schema& schemas, int depth) const {
    if (!schemas.is_array()) fail_grammar("the schema has an anyOf that is no array");
    Schema out = Schema::array();
    for (const Schema& one : schemas) out.push_back(of(one, depth + 1));
    return out;
  }

  const SchemaMerger& merger_;
};

// What must hold where a property is there; where it is not, nothing.
Schema if_present(const std::string& name, const Schema& then) {
  const Schema absent = {{"properties", {{name, false}}}};
  const Schema present = {{"required", Schema::array({name})}};
  return {{"anyOf", Schema::array({absent, {{"allOf", Schema::array({present, then})}}})}};
}

}  // namespace

Schema without_logic(const Schema& schema, const SchemaMerger& merger) {
  constexpr const char* keywords[] = {"not",         "if", "then", "else", "dependentRequired", "dependentSchemas",
                                      "dependencies"};
  const auto has = [&](const char* keyword) { return schema.contains(keyword); };
  if (!schema.is_object() || std::none_of(std::begin(keywords), std::end(keywords), has)) return schema;
  const Negation negation(merger);
  Schema parts = Schema::array();
  if (has("not")) parts.push_back(negation.of(schema["not"]));
  if (has("if")) {
    const Schema then = has("then") ? schema["then"] : Schema(true);
    const Schema otherwise = has("else") ? schema["else"] : Schema(true);
    const Schema yes = {{"allOf", Schema::array({schema["if"], then})}};
    if (then != true || otherwise != true) {
      const Schema no = {{"allOf", Schema::array({negation.of(schema["if"]), otherwise})}};
      parts.push_back({{"anyOf", Schema::array({yes, no})}});
    }
  }
  for (const char* keyword : {"dependentRequired", "dependentSchemas", "dependencies"}) {
    if (!has(keyword)) continue;
    if (!schema[keyword].is_object()) fail_grammar(std::string("the schema has a ") + keyword + " that is no object");
    for (const auto& [name, value] : schema[keyword].items())
      parts.push_back(if_present(name, value.is_array() ? Schema{{"required", value}} : value));
  }
  Schema rest = schema;
  for (const char* keyword : keywords) rest.erase(keyword);
  for (const Schema& part : parts) rest = merger.merge(rest, part);
  return rest;
}

}  // namespace quern
