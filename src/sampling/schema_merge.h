// $ref and allOf: several schemas that hold for one value made into one.
#pragma once
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "text_rules.h"

namespace quern {

using Schema = nlohmann::ordered_json;

// Keywords that say nothing about a value.
bool is_annotation(std::string_view keyword);
// Whether a schema has no keyword but annotations and `except`.
bool only_annotates(const Schema& schema, std::string_view except);

// What accepts the values that both accept.
Schema both(const Schema& a, const Schema& b);

// What a schema's patternProperties say of a name: each pattern is read when the first name is asked about, and once.
class NamePatterns {
 public:
  // schema: outlives it and stays as it is, as does work. A patternProperties that is no object has no patterns.
  NamePatterns(const Schema& schema, GrammarWork& work) : schema_(schema), work_(work) {}

  // The schemas of the patterns that a name matches, one after the other: to a function that says whether to go on.
  // Throws Error as TextTest::fits.
  void each(const std::string& name, const std::function<bool(const Schema&)>& found);

 private:
  const Schema& schema_;
  GrammarWork& work_;
  std::vector<std::unique_ptr<TextTest>> tests_;
};

class SchemaMerger {
 public:
  SchemaMerger(const Schema& root, GrammarWork& work) : root_(root), grammar_work_(work) {}  // both outlive it

  // The schema that a $ref names: "#" or "#/…". Throws Error bad_argument if there is none, unsupported for others.
  const Schema& target(const Schema& ref) const;
  // The schema without a $ref or allOf of its own. Throws Error as merge().
  Schema flatten(const Schema& schema, int depth = 0) const;
  // What accepts the values that both accept. Throws Error unsupported where that cannot be said in one schema.
  Schema merge(const Schema& a, const Schema& b, int depth = 0) const;

 private:
  const Schema& root_;
  GrammarWork& grammar_work_;
  mutable size_t work_ = 0;  // bytes merged so far; bounded, since references can double a schema at each level
};

}  // namespace quern
