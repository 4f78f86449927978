// JSON schemas to rules.
//
// Understood:
// - true, false, type, nullable, enum, const, anyOf, oneOf, allOf, $ref to a part of the same schema, recursive too;
// - objects: properties, required, additionalProperties, patternProperties (at most 6), propertyNames, minProperties
// and
//   maxProperties, dependentRequired, dependentSchemas;
// - arrays: items, prefixItems, minItems, maxItems, uniqueItems where the items are a list of values (enum, const,
//   boolean, null, an integer's range) with at most 4096 selections;
// - strings: minLength, maxLength, any number of patterns, and format (string_format.h), together too, as long as an
//   automaton of 32768 states is enough (text_automaton.h);
// - numbers: minimum, maximum and their exclusive forms within the range of a uint64 and 15 digits behind the point,
//   multipleOf;
// - not, and if with then and else, of the keywords that have an opposite: type, enum, const, required, properties,
//   pattern, bounds, lengths and counts, anyOf, not (schema_logic.h).
// Other assertions (contains, unevaluatedProperties, …) are Errors that name them; annotations, unknown keywords and
// unknown formats are ignored, as JSON Schema says.
//
// Every text that is generated is accepted by the schema, except that oneOf is read as anyOf, keys beside the listed
// ones may come twice, and keywords about objects and arrays say nothing about the values of an enum or const. Of the
// texts that the schema accepts, these are generated:
// - properties in the schema's order, others behind them;
// - others at all only where additionalProperties or patternProperties says so, or where no properties are listed;
// - values of the types that the keywords are about, where there is no type; items behind prefixItems only if asked
//   for;
// - between tokens no white space, one space, or a line end and at most 20 spaces or tabs; none before , : and outside;
// - whole numbers of at most 18 digits, or between bounds those of an int64; numbers with at most 15 digits behind the
//   point, and exponents of at most 2 digits.
#pragma once
#include <string_view>

#include "grammar_rules.h"
#include "grammar_work.h"

namespace quern {

// Returns the number of the root rule. work: of the whole grammar. Throws Error as Grammar::from_json_schema.
uint32_t read_json_schema(std::string_view schema, GrammarRules& rules, GrammarWork& work);

}  // namespace quern
