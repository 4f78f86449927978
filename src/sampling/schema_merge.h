// $ref and allOf: several schemas that hold for one value made into one.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace quern {

using Schema = nlohmann::ordered_json;

// Keywords that say nothing about a value.
bool is_annotation(std::string_view keyword);
// Whether a schema has no keyword but annotations and `except`.
bool only_annotates(const Schema& schema, std::string_view except);

class SchemaMerger {
 public:
  explicit SchemaMerger(const Schema& root) : root_(root) {}

  // The schema that a $ref names: "#" or "#/…". Throws Error bad_argument if there is none, unsupported for others.
  const Schema& target(const Schema& ref) const;
  // The schema without a $ref or allOf of its own. Throws Error as merge().
  Schema flatten(const Schema& schema, int depth = 0) const;
  // What accepts the values that both accept. Throws Error unsupported where that cannot be said in one schema.
  Schema merge(const Schema& a, const Schema& b, int depth = 0) const;

 private:
  const Schema& root_;
  mutable size_t work_ = 0;  // bytes merged so far; bounded, since references can double a schema at each level
};

}  // namespace quern
