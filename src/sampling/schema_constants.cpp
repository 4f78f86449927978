// Lists of values, which enum and const are: those that the other keywords of their schema accept. See schema_reader.h.
#include <algorithm>
#include <bit>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "error.h"
#include "schema_logic.h"
#include "schema_reader.h"

namespace quern {
namespace {

// Values to look others up in, equal as JSON has it: 1 is 1.0.
class ValueSet {
 public:
  // values: a list that outlives it, as does work.
  ValueSet(const Schema& values, GrammarWork& work) : work_(work) {
    for (const Schema& value : values) alike_[key(value)].push_back(&value);
  }
  bool contains(const Schema& value) const {
    const auto found = alike_.find(key(value));
    if (found == alike_.end()) return false;
    work_.spend(found->second.size());
    return std::any_of(found->second.begin(), found->second.end(), [&](const Schema* s) { return *s == value; });
  }

 private:
  // The same for values that are equal.
  static std::string key(const Schema& value) {
    if (value.is_string()) return "\"" + value.get_ref<const std::string&>();
    if (value.is_number()) return std::to_string(std::bit_cast<uint64_t>(value.get<double>() + 0.0));  // -0.0 is 0.0
    return value.type_name() + std::to_string(value.size());
  }

  GrammarWork& work_;
  std::unordered_map<std::string, std::vector<const Schema*>> alike_;
};

bool is_of(const Schema& value, const std::set<std::string>& types) {
  if (value.is_number() && types.contains("number")) return true;
  if (value.is_number_float()) {
    const auto d = Decimal::parse(value.dump());
    return types.contains("integer") && d && d->fraction.empty();
  }
  return types.contains(value.is_number() ? "integer" : value.type_name());
}

}  // namespace

Schema SchemaReader::list_of(const Schema& s) {
  Schema list = s.contains("enum") ? s["enum"] : Schema::array({s["const"]});
  if (!list.is_array()) fail("has an enum that is no array");
  return list;
}

// What the keywords say is read when the first value needs it: they may be no sense beside values of other types.
void SchemaReader::each_fitting(const Schema& values, const Schema& s,
                                const std::function<bool(const Schema&)>& found) {
  const bool typed = s.contains("type");  // nullable alone says nothing about the others
  std::optional<std::set<std::string>> allowed;
  std::optional<ValueSet> out;
  std::optional<TextTest> text;
  std::optional<NumberLimits> number;
  bool any_number = false;
  const auto number_fits_limits = [&](const Schema& value) {
    if (!number) {
      number = number_limits(s);
      any_number = number->none();
      number->excluded.clear();  // `out` has them
    }
    if (any_number) return true;
    const auto decimal = Decimal::parse(value.dump());
    if (!decimal) fail("has an enum's number with more digits than are supported", Status::unsupported);
    return number_fits(*decimal, *number, grammar_work_);
  };
  const auto fits = [&](const Schema& value) {
    if (s.contains("const") && value != s["const"]) return false;
    if (typed) {
      if (!allowed) {
        const std::vector<std::string> all = types(s);
        allowed.emplace(all.begin(), all.end());
      }
      if (!is_of(value, *allowed)) return false;
    }
    if (s.contains(excluded_keyword)) {
      if (!out) out.emplace(s[excluded_keyword], grammar_work_);
      if (out->contains(value)) return false;
    }
    if (value.is_string()) {
      if (!text) text.emplace(text_limits(s), grammar_work_);
      return text->fits(value.get_ref<const std::string&>());
    }
    return !value.is_number() || number_fits_limits(value);
  };
  for (const Schema& value : values)
    if (fits(value) && !found(value)) return;
}

SchemaReader::Node SchemaReader::one_of(const Schema& values, const Schema& s) {
  std::vector<Node> ways = {json_.nothing()};
  each_fitting(values, s, [&](const Schema& value) {
    ways.push_back(rules_.literal(value.dump()));
    return true;
  });
  return rules_.choice(std::move(ways));
}

SchemaReader::Node SchemaReader::boolean(const Schema& s) {
  return one_of(Schema::array({true, false}), s);
}

SchemaReader::Node SchemaReader::null(const Schema& s) {
  return one_of(Schema::array({nullptr}), s);
}

}  // namespace quern
