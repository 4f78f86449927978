// The reader of JSON schemas; what it understands is written in json_schema.h. One rule per schema that occurs, known
// by its text, so that recursive schemas end.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "json_number.h"
#include "json_rules.h"
#include "schema_merge.h"
#include "text_rules.h"

namespace quern {

class SchemaReader {
 public:
  // work: of the whole grammar; outlives the reader.
  SchemaReader(const Schema& root, GrammarRules& rules, GrammarWork& work)
      : rules_(rules), json_(rules), merger_(root, work), grammar_work_(work) {}

  uint32_t read(const Schema& root);  // the number of the root rule

 private:
  using Node = GrammarRules::Node;
  // A type, the keywords that are about it, and what makes its rule.
  struct Type {
    const char* name;
    std::vector<const char*> keywords;
    Node (SchemaReader::*make)(const Schema&);
  };
  static const std::vector<Type>& type_table();

  // json_schema.cpp
  [[noreturn]] static void fail(const std::string& what, Status status = Status::bad_argument);
  Node schema(const Schema& s);  // what matches the values that a schema accepts
  Node schema_rule(const Schema& s);
  Node flat(const Schema& s);
  Node any_of(const Schema& s, const char* keyword);
  static std::vector<std::string> types(const Schema& s);
  Node of_type(const std::string& name, const Schema& s);
  static uint32_t count(const Schema& s, const char* keyword, uint32_t absent);

  // schema_constants.cpp: lists of values
  static bool has_list(const Schema& s) { return s.contains("enum") || s.contains("const"); }
  static Schema list_of(const Schema& s);
  // The values that the schema's keywords accept, those about objects and arrays left out: to a function that says
  // whether to go on.
  void each_fitting(const Schema& values, const Schema& s, const std::function<bool(const Schema&)>& found);
  Node one_of(const Schema& values, const Schema& s);
  Node boolean(const Schema& s);
  Node null(const Schema& s);

  // schema_values.cpp: texts and numbers
  static TextLimits text_limits(const Schema& s);
  static NumberLimits number_limits(const Schema& s);
  static Schema excluded(const Schema& s, bool (Schema::*is)() const noexcept);
  Node string(const Schema& s);
  Node number(const Schema& s);
  Node integer(const Schema& s);

  // schema_arrays.cpp
  Node array(const Schema& s);
  Node unique_array(const Schema& items, uint32_t min, uint32_t max);
  std::optional<std::vector<Schema>> enumerated(const Schema& s, int depth = 0);

  // schema_objects.cpp
  struct Property {
    std::string name;
    Node member;  // key and value
    bool required;
  };
  // What an object's names are held to.
  struct Names {
    std::optional<std::vector<std::string>> only;
    std::set<std::string> among;  // these, to look them up
    TextLimits limits;
    bool none = false;
  };
  Node object(const Schema& s);
  Names names_of(const Schema& s);
  std::vector<Property> properties_of(const Schema& s, const Names& names, const Schema& more);
  static Schema value_of(const Schema& s, const std::string& name, NamePatterns& patterns, const Schema& otherwise);
  std::optional<Node> others_of(const Schema& s, const Names& names, const std::vector<Property>& listed,
                                const Schema& more);
  Node members(const std::vector<Property>& properties, const std::optional<Node>& other, uint32_t min, uint32_t max);
  Node as_rule(Node node);

  GrammarRules& rules_;
  JsonRules json_;
  SchemaMerger merger_;
  GrammarWork& grammar_work_;
  std::unordered_map<std::string, uint32_t> known_;
  std::map<TextLimits, Node> strings_;  // one for all schemas that ask for the same
  size_t work_ = 0;
  int depth_ = 0;
};

}  // namespace quern
