// See schema_merge.h. Each keyword has its own way of being merged; the table is at the end.
#include "schema_merge.h"

#include <algorithm>

#include "error.h"
#include "grammar_rules.h"
#include "io/json.h"
#include "json_number.h"
#include "schema_logic.h"
#include "text_rules.h"

namespace quern {
namespace {

constexpr int max_reference_depth = 32;                        // of $ref and allOf inside each other
constexpr size_t max_branches = 64;                            // of merged anyOf
constexpr size_t max_comparisons = size_t{1} << 20;            // of one merge
constexpr size_t max_work = size_t{16} << 20, min_work = 256;  // bytes, in all and of one step

constexpr std::string_view annotations[] = {
    "title",   "description", "default",          "examples",        "example",      "$schema", "$id",
    "id",      "$comment",    "deprecated",       "readOnly",        "writeOnly",    "$defs",   "definitions",
    "$anchor", "$vocabulary", "contentMediaType", "contentEncoding", "discriminator"};

void merge_same(const char* keyword, Schema& a, const Schema& b) {
  if (a == b) return;
  throw Error(Status::unsupported, std::string("grammar: the schema has two different \"") + keyword +
                                       "\" for one value, which is not supported");
}
// Numbers are compared as they are written: the library's comparison takes large whole numbers for negative ones.
std::optional<int> compared(const Schema& a, const Schema& b) {
  const auto number = [](const Schema& s) { return s.is_number() ? Decimal::parse(s.dump()) : std::nullopt; };
  const auto x = number(a), y = number(b);
  return x && y ? std::optional(compare(*x, *y)) : std::nullopt;
}
void merge_larger(const char* keyword, Schema& a, const Schema& b) {
  const auto order = compared(a, b);
  if (!order) return merge_same(keyword, a, b);
  if (*order < 0) a = b;
}
void merge_smaller(const char* keyword, Schema& a, const Schema& b) {
  const auto order = compared(a, b);
  if (!order) return merge_same(keyword, a, b);
  if (*order > 0) a = b;
}
void merge_schemas(const char*, Schema& a, const Schema& b) {
  a = both(a, b);
}
// Lists are compared item by item.
void check_lists(const char* keyword, const Schema& a, const Schema& b) {
  if (a.size() * b.size() > max_comparisons) {
    fail_grammar(std::string("the schema has too long \"") + keyword + "\" lists for one value");
  }
}
void merge_union(const char* keyword, Schema& a, const Schema& b) {
  if (!a.is_array() || !b.is_array()) return;
  check_lists(keyword, a, b);
  for (const Schema& item : b)
    if (std::find(a.begin(), a.end(), item) == a.end()) a.push_back(item);
}
void merge_enum(const char* keyword, Schema& a, const Schema& b) {
  check_lists(keyword, a, b);
  Schema out = Schema::array();
  if (a.is_array() && b.is_array())
    for (const Schema& item : a)
      if (std::find(b.begin(), b.end(), item) != b.end()) out.push_back(item);
  a = out;
}
// A type or a list of them; an integer is a number too.
void merge_type(const char* keyword, Schema& a, const Schema& b) {
  check_lists(keyword, a, b);
  const auto list = [](const Schema& s) { return s.is_array() ? s : Schema::array({s}); };
  Schema out = Schema::array();
  for (const Schema& x : list(a))
    for (const Schema& y : list(b)) {
      if (x == y || (x == "integer" && y == "number")) out.push_back(x);
      if (x == "number" && y == "integer") out.push_back(y);
    }
  a = out;
}
// anyOf (a1, a2) and anyOf (b1, b2): anyOf (a1 and b1, a1 and b2, …).
void merge_any(const char* keyword, Schema& a, const Schema& b) {
  if (!a.is_array() || !b.is_array() || a.size() * b.size() > max_branches) return merge_same(keyword, a, b);
  Schema out = Schema::array();
  for (const Schema& x : a)
    for (const Schema& y : b) out.push_back(both(x, y));
  a = out;
}
void merge_either(const char*, Schema& a, const Schema& b) {
  a = a == true || b == true;
}
void merge_flag(const char*, Schema& a, const Schema& b) {
  a = a == true && b == true;
}

// Of two schemas with patterns, both hold for what matches both.
void merge_patterns(Schema& a, const Schema& b, const Schema& a_more, const Schema& b_more) {
  const bool a_has = a.contains("patternProperties"), b_has = b.contains("patternProperties");
  if (!a_has && !b_has) return;
  for (const Schema* s : {static_cast<const Schema*>(&a), &b})
    if (s->contains("patternProperties") && !(*s)["patternProperties"].is_object())
      fail_grammar("the schema has a patternProperties that is no object");
  if ((!a_more.is_null() && b_has) || (!b_more.is_null() && a_has)) {
    if (!a_has || !b_has || a["patternProperties"] != b["patternProperties"])
      throw Error(Status::unsupported,
                  "grammar: the schema has \"patternProperties\" and another's \"additionalProperties\" for one value, "
                  "which is not supported");
  }
  if (!a_has) a["patternProperties"] = Schema::object();
  if (!b_has) return;
  for (const auto& [pattern, schema] : b["patternProperties"].items()) {
    Schema& mine = a["patternProperties"];
    mine[pattern] = mine.contains(pattern) ? both(mine[pattern], schema) : schema;
  }
}

// Properties of one schema that the other does not list come under the other's additionalProperties.
void merge_objects(Schema& a, const Schema& b, GrammarWork& work) {
  if (a.contains("properties") && b.contains("properties")) check_lists("properties", a["properties"], b["properties"]);
  const auto member = [](const Schema& s, const char* name) { return s.contains(name) ? s[name] : Schema(); };
  const Schema a_more = member(a, "additionalProperties"), b_more = member(b, "additionalProperties");
  const Schema a_props = member(a, "properties"), b_props = member(b, "properties");
  // additionalProperties is about names that are neither listed nor match a pattern beside it.
  NamePatterns a_patterns(a, work), b_patterns(b, work);
  const auto under = [](const std::string& name, const Schema& property, NamePatterns& other, const Schema& more) {
    bool is_free = more.is_null();
    if (!is_free) other.each(name, [&](const Schema&) { return !(is_free = true); });
    return is_free ? property : both(property, more);
  };
  Schema out = Schema::object();
  if (a_props.is_object())
    for (const auto& [name, property] : a_props.items())
      out[name] = b_props.is_object() && b_props.contains(name) ? both(property, b_props[name])
                                                                : under(name, property, b_patterns, b_more);
  if (b_props.is_object())
    for (const auto& [name, property] : b_props.items())
      if (!out.contains(name)) out[name] = under(name, property, a_patterns, a_more);
  if (a_props.is_object() || b_props.is_object()) a["properties"] = out;
  merge_patterns(a, b, a_more, b_more);
  if (!b_more.is_null()) a["additionalProperties"] = a_more.is_null() ? b_more : both(a_more, b_more);
}

// How the whole schemas are merged where both have a keyword; a may become false.
using Merge = void(const char* keyword, Schema& a, const Schema& b);

template <void (*merge)(const char*, Schema&, const Schema&)>
void of_values(const char* keyword, Schema& a, const Schema& b) {
  merge(keyword, a[keyword], b[keyword]);
}
// No value is two constants.
void merge_const(const char* keyword, Schema& a, const Schema& b) {
  if (a[keyword] != b[keyword]) a = false;
}
// Where a keyword has room for one value, the others are in a list of their own.
void add_beside(const char* keyword, const char* others, Schema& a, const Schema& b) {
  const Schema& value = b[keyword];
  if (a[keyword] == value) return;
  if (!a.contains(others)) a[others] = Schema::array();
  Schema& list = a[others];
  if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(value);
}
void merge_pattern(const char* keyword, Schema& a, const Schema& b) {
  add_beside(keyword, patterns_keyword, a, b);
}
void merge_multiple(const char* keyword, Schema& a, const Schema& b) {
  add_beside(keyword, multiples_keyword, a, b);
}

constexpr struct {
  const char* keyword;
  Merge* merge;
} merges[] = {
    {"type", of_values<merge_type>},
    {"enum", of_values<merge_enum>},
    {"const", merge_const},
    {"required", of_values<merge_union>},
    {"items", of_values<merge_schemas>},
    {"anyOf", of_values<merge_any>},
    {"oneOf", of_values<merge_any>},
    {"minLength", of_values<merge_larger>},
    {"maxLength", of_values<merge_smaller>},
    {"minItems", of_values<merge_larger>},
    {"maxItems", of_values<merge_smaller>},
    {"minProperties", of_values<merge_larger>},
    {"maxProperties", of_values<merge_smaller>},
    {"minimum", of_values<merge_larger>},
    {"maximum", of_values<merge_smaller>},
    {"exclusiveMinimum", of_values<merge_larger>},
    {"exclusiveMaximum", of_values<merge_smaller>},
    {"nullable", of_values<merge_flag>},
    {"uniqueItems", of_values<merge_either>},
    {"propertyNames", of_values<merge_schemas>},
    {"pattern", merge_pattern},
    {"multipleOf", merge_multiple},
    {excluded_keyword, of_values<merge_union>},
    {patterns_keyword, of_values<merge_union>},
    {not_patterns_keyword, of_values<merge_union>},
    {multiples_keyword, of_values<merge_union>},
};

// One part of a JSON pointer, its escapes undone: %hh, ~1 and ~0.
std::string pointer_part(std::string_view part) {
  std::string out;
  for (size_t i = 0; i < part.size(); ++i) {
    const auto digit = [&](size_t at) {
      return std::string_view("0123456789abcdef").find(static_cast<char>(part[at] | 0x20));
    };
    if (part[i] == '%' && i + 2 < part.size() && digit(i + 1) < 16 && digit(i + 2) < 16) {
      out += static_cast<char>(digit(i + 1) * 16 + digit(i + 2));
      i += 2;
    } else if (part[i] == '~' && i + 1 < part.size() && (part[i + 1] == '0' || part[i + 1] == '1')) {
      out += part[++i] == '0' ? '~' : '/';
    } else {
      out += part[i];
    }
  }
  return out;
}

}  // namespace

Schema both(const Schema& a, const Schema& b) {
  if (a == true) return b;
  return b == true || a == b ? a : Schema{{"allOf", Schema::array({a, b})}};
}

void NamePatterns::each(const std::string& name, const std::function<bool(const Schema&)>& found) {
  if (!schema_.contains("patternProperties") || !schema_["patternProperties"].is_object()) return;
  const Schema& patterns = schema_["patternProperties"];
  if (tests_.empty()) {
    for (const auto& [pattern, schema] : patterns.items()) {
      TextLimits limits;
      limits.patterns = {pattern};
      tests_.push_back(std::make_unique<TextTest>(std::move(limits), work_));
    }
  }
  auto test = tests_.begin();
  for (const Schema& schema : patterns)
    if ((*test++)->fits(name) && !found(schema)) return;
}

bool is_annotation(std::string_view keyword) {
  return std::find(std::begin(annotations), std::end(annotations), keyword) != std::end(annotations);
}

bool only_annotates(const Schema& schema, std::string_view except) {
  for (const auto& [keyword, value] : schema.items())
    if (keyword != except && !is_annotation(keyword)) return false;
  return true;
}

const Schema& SchemaMerger::target(const Schema& ref) const {
  if (!ref.is_string()) fail_grammar("the schema has a $ref that is no string");
  const std::string& text = ref.get_ref<const std::string&>();
  if (!text.starts_with("#") || (text.size() > 1 && text[1] != '/')) {
    throw Error(Status::unsupported,
                "grammar: the schema's $ref \"" + printable(text) + "\" is not supported; it should begin with \"#/\"");
  }
  const Schema* at = &root_;
  for (size_t begin = 2; begin <= text.size();) {
    const size_t end = std::min(text.find('/', begin), text.size());
    const std::string part = pointer_part(std::string_view(text).substr(begin, end - begin));
    begin = end + 1;
    const bool index =
        at->is_array() && !part.empty() && part.size() < 8 && part.find_first_not_of("0123456789") == std::string::npos;
    if (at->is_object() && at->contains(part)) {
      at = &(*at)[part];
    } else if (index && static_cast<size_t>(std::stoul(part)) < at->size()) {
      at = &(*at)[static_cast<size_t>(std::stoul(part))];
    } else {
      fail_grammar("the schema's $ref \"" + printable(text) + "\" names nothing");
    }
  }
  return *at;
}

Schema SchemaMerger::flatten(const Schema& schema, int depth) const {
  if (depth > max_reference_depth)
    fail_grammar("the schema's $ref and allOf go deeper than " + std::to_string(max_reference_depth) + " levels");
  if (!schema.is_object() || !(schema.contains("$ref") || schema.contains("allOf"))) return schema;
  Schema out = schema;
  if (out.contains("$ref")) {
    const Schema& named = target(out["$ref"]);
    out.erase("$ref");
    out = merge(named, out, depth + 1);
  }
  if (out.is_object() && out.contains("allOf")) {
    const Schema all = out["allOf"];
    if (!all.is_array()) fail_grammar("the schema has an allOf that is no array");
    out.erase("allOf");
    for (const Schema& part : all) out = merge(out, part, depth + 1);
  }
  return out;
}

Schema SchemaMerger::merge(const Schema& left, const Schema& right, int depth) const {
  Schema a = flatten(left, depth);
  const Schema b = flatten(right, depth);
  work_ += a.dump().size() + b.dump().size() + min_work;
  if (work_ > max_work) fail_grammar("the schema's $ref and allOf take too many steps to follow");
  if (a == false || b == true) return a;
  if (b == false || a == true) return b;
  if (!a.is_object() || !b.is_object()) fail_grammar("the schema has a part that is neither an object nor a boolean");
  merge_objects(a, b, grammar_work_);
  for (const auto& [keyword, value] : b.items()) {
    if (keyword == "properties" || keyword == "additionalProperties" || keyword == "patternProperties" ||
        is_annotation(keyword)) {
      continue;
    }
    if (!a.contains(keyword)) {
      a[keyword] = value;
      continue;
    }
    const std::string& name = keyword;
    const auto* const found =
        std::find_if(std::begin(merges), std::end(merges), [&](const auto& m) { return name == m.keyword; });
    (found == std::end(merges) ? of_values<merge_same> : found->merge)(keyword.c_str(), a, b);
    if (!a.is_object()) return a;
  }
  return a;
}

}  // namespace quern
