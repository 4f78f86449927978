// From the text of a grammar to its automaton. See grammar.h.
#include "grammar.h"

#include "gbnf.h"
#include "json_schema.h"

namespace quern {
namespace {

std::shared_ptr<const Grammar> make(std::string_view text, uint32_t (*read)(std::string_view, GrammarRules&)) {
  GrammarRules rules;
  const uint32_t root = read(text, rules);
  return std::make_shared<const Grammar>(GrammarAutomaton::build(rules, root));
}

}  // namespace

std::shared_ptr<const Grammar> Grammar::from_gbnf(std::string_view text) {
  return make(text, read_gbnf);
}

std::shared_ptr<const Grammar> Grammar::from_json_schema(std::string_view schema) {
  return make(schema, read_json_schema);
}

}  // namespace quern
