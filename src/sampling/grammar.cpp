// From the text of a grammar to its automaton. See grammar.h.
#include "grammar.h"

#include "json_schema.h"

namespace quern {
namespace {

std::shared_ptr<const Grammar> made(const GrammarRules& rules, uint32_t root) {
  return std::make_shared<const Grammar>(GrammarAutomaton::build(rules, root));
}

}  // namespace

std::shared_ptr<const Grammar> Grammar::from_gbnf(std::string_view text, const TokenOf& token) {
  GrammarRules rules;
  const uint32_t root = read_gbnf(text, token, rules);
  return made(rules, root);
}

std::shared_ptr<const Grammar> Grammar::from_json_schema(std::string_view schema) {
  GrammarRules rules;
  GrammarWork work;
  const uint32_t root = read_json_schema(schema, rules, work);
  return made(rules, root);
}

}  // namespace quern
