// Where one sequence stands in its grammar: which tokens may come next.
#pragma once
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>

#include "grammar_matcher.h"
#include "token_trie.h"

namespace quern {

// Belongs to one sequence; not for use by several threads at once. A copy goes its own way. Every function but
// finished() may throw Error bad_argument "grammar: …" for a grammar that is too ambiguous to be followed.
class GrammarState {
 public:
  GrammarState(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const TokenTrie> tokens);

  // Sets the logits of the tokens that cannot come next to -inf. logits: of ids 0 …; those past the vocabulary's end
  // cannot come. End-of-generation tokens can where the text may end. Costs about 0.1 ms for 262,144 tokens in a state
  // that was seen before, and up to some ms in a new one.
  void mask(std::span<float> logits);
  // Whether mask() leaves this token; cheap.
  bool allows(int32_t id);
  // Throws Error bad_argument if the token is not allowed; the state is then as it was.
  void accept(int32_t id);
  // Whether nothing can follow but an end-of-generation token, or one came.
  bool finished() const { return ended_ || !matcher_.goes_on(config_); }
  // Whether the text may end here.
  bool complete() const { return matcher_.accepts(config_); }

 private:
  const TokenSet& allowed();
  void walk(const TokenTrie::Tree& tree, TokenSet& out);
  GrammarMatcher::Config after(std::string_view bytes);

  std::shared_ptr<const TokenTrie> tokens_;
  GrammarMatcher matcher_;
  GrammarMatcher::Config config_;
  bool ended_ = false;
  std::unordered_map<GrammarMatcher::Config, TokenSet> allowed_;  // of configs that came before; bounded
  std::vector<GrammarMatcher::Config> path_;                      // walk()'s, by depth
};

}  // namespace quern
