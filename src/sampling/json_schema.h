// JSON schemas to rules.
//
// Understood: true, false, type, enum, const, properties, required, additionalProperties, minProperties and
// maxProperties (of objects without properties), items, prefixItems, minItems, maxItems, minLength, maxLength, pattern
// and format (string_format.h), minimum, maximum and their exclusive forms, nullable, anyOf, oneOf, allOf, $ref to a
// part of the same schema, recursive too. Other assertions (not, if, uniqueItems, multipleOf, …) are Errors;
// annotations and unknown keywords are ignored, as JSON Schema says.
//
// Every text that is generated is accepted by the schema, except that oneOf is read as anyOf, keys beside the listed
// ones may come twice, and the other keywords beside an enum or const count for its values' types only. Of the texts
// that the schema accepts, these are generated:
// - properties in the schema's order, others behind them;
// - others at all only where additionalProperties says so, or where no properties are listed;
// - values of the types that the keywords are about, where there is no type; items behind prefixItems only if asked
// for;
// - between tokens no white space, one space, or a line end and at most 20 spaces or tabs; none before , : and outside;
// - whole numbers of at most 18 digits; numbers with at most 15 digits behind the point, and exponents of at most 2
// digits.
#pragma once
#include <string_view>

#include "grammar_rules.h"

namespace quern {

// Returns the number of the root rule. Throws Error as Grammar::from_json_schema.
uint32_t read_json_schema(std::string_view schema, GrammarRules& rules);

}  // namespace quern
