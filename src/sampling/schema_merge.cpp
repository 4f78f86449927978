// See schema_merge.h. Each keyword has its own way of being merged; the table is at the end.
#include "schema_merge.h"

#include <algorithm>

#include "error.h"
#include "grammar_rules.h"
#include "io/json.h"

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

Schema both(const Schema& a, const Schema& b) {
  return a == b ? a : Schema{{"allOf", Schema::array({a, b})}};
}

void merge_same(const char* keyword, Schema& a, const Schema& b) {
  if (a == b) return;
  throw Error(Status::unsupported, std::string("grammar: the schema has two different \"") + keyword +
                                       "\" for one value, which is not supported");
}
void merge_larger(const char* keyword, Schema& a, const Schema& b) {
  if (!a.is_number() || !b.is_number()) return merge_same(keyword, a, b);
  if (b > a) a = b;
}
void merge_smaller(const char* keyword, Schema& a, const Schema& b) {
  if (!a.is_number() || !b.is_number()) return merge_same(keyword, a, b);
  if (b < a) a = b;
}
void merge_schemas(const char*, Schema& a, const Schema& b) {
  a = both(a, b);
}
void merge_const(const char*, Schema&, const Schema&) {}  // see merge()
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
void merge_flag(const char*, Schema& a, const Schema& b) {
  a = a == true && b == true;
}

constexpr struct {
  const char* keyword;
  void (*merge)(const char* keyword, Schema& a, const Schema& b);
} merges[] = {
    {"type", merge_type},
    {"enum", merge_enum},
    {"const", merge_const},
    {"required", merge_union},
    {"items", merge_schemas},
    {"anyOf", merge_any},
    {"oneOf", merge_any},
    {"minLength", merge_larger},
    {"maxLength", merge_smaller},
    {"minItems", merge_larger},
    {"maxItems", merge_smaller},
    {"minProperties", merge_larger},
    {"maxProperties", merge_smaller},
    {"minimum", merge_larger},
    {"maximum", merge_smaller},
    {"exclusiveMinimum", merge_larger},
    {"exclusiveMaximum", merge_smaller},
    {"nullable", merge_flag},
};

// Properties of one schema that the other does not list come under the other's additionalProperties.
void merge_objects(Schema& a, const Schema& b) {
  if (a.contains("properties") && b.contains("properties")) check_lists("properties", a["properties"], b["properties"]);
  const auto member = [](const Schema& s, const char* name) { return s.contains(name) ? s[name] : Schema(); };
  const Schema a_more = member(a, "additionalProperties"), b_more = member(b, "additionalProperties");
  const Schema a_props = member(a, "properties"), b_props = member(b, "properties");
  const auto under = [](const Schema& property, const Schema& more) {
    return more.is_null() ? property : both(property, more);
  };
  Schema out = Schema::object();
  if (a_props.is_object())
    for (const auto& [name, property] : a_props.items())
      out[name] =
          b_props.is_object() && b_props.contains(name) ? both(property, b_props[name]) : under(property, b_more);
  if (b_props.is_object())
    for (const auto& [name, property] : b_props.items())
      if (!out.contains(name)) out[name] = under(property, a_more);
  if (a_props.is_object() || b_props.is_object()) a["properties"] = out;
  if (!b_more.is_null()) a["additionalProperties"] = a_more.is_null() ? b_more : both(a_more, b_more);
}

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
  merge_objects(a, b);
  for (const auto& [keyword, value] : b.items()) {
    if (keyword == "properties" || keyword == "additionalProperties" || is_annotation(keyword)) continue;
    if (!a.contains(keyword)) {
      a[keyword] = value;
      continue;
    }
    const std::string& name = keyword;
    const auto* const found =
        std::find_if(std::begin(merges), std::end(merges), [&](const auto& m) { return name == m.keyword; });
    (found == std::end(merges) ? merge_same : found->merge)(keyword.c_str(), a[keyword], value);
    if (keyword == "const" && a[keyword] != value) return false;  // no value is both
  }
  return a;
}

}  // namespace quern
