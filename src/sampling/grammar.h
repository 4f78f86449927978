// What a generated text must look like: GBNF, as llama.cpp documents it, or a JSON schema. Immutable; any number of
// sequences and threads may use one.
#pragma once
#include <memory>
#include <string_view>

#include "gbnf.h"
#include "grammar_automaton.h"

namespace quern {

class Grammar {
 public:
  // Rules `name ::= …`, the whole text being `root`: "literals", [classes] with ranges, ^ and escapes, ., |, ( ),
  // * + ? {m} {m,} {m,n}, # comments; %json {…}, what a JSON schema accepts; %regex "…", what a regular expression
  // matches as a whole; <[id]> and <text>, a token. Throws Error bad_argument "grammar: line 3: …"; unsupported for
  // tokens where `token` is empty.
  static std::shared_ptr<const Grammar> from_gbnf(std::string_view text, const TokenOf& token = {});

  // JSON texts that the schema accepts, without white space around them; see json_schema.h for what is understood and
  // which of a schema's texts are generated. "{}" is any JSON value, {"type": "object"} any object.
  // Throws Error bad_argument for what is no schema or accepts nothing; unsupported for a keyword that quern lacks.
  static std::shared_ptr<const Grammar> from_json_schema(std::string_view schema);

  explicit Grammar(GrammarAutomaton automaton) : automaton_(std::move(automaton)) {}
  const GrammarAutomaton& automaton() const { return automaton_; }

 private:
  GrammarAutomaton automaton_;
};

}  // namespace quern
