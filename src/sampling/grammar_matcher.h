// Matches bytes against a grammar. All ways in which a text can be parsed are followed at once; a set of them is a
// Config, and the steps between configs are kept, so that a step that was made before costs one look-up.
#pragma once
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "grammar.h"

namespace quern {

// Not for use by several threads at once.
class GrammarMatcher {
 public:
  using Config = uint32_t;
  static constexpr Config dead = 0;  // nothing that starts like this matches
  static constexpr size_t max_parses = 4096;
  static constexpr uint32_t max_stack = 512;  // calls inside each other: deeper parses are not followed

  // Throws Error bad_argument as next().
  explicit GrammarMatcher(std::shared_ptr<const Grammar> grammar);

  Config start() const { return start_; }
  // After one more byte. Throws Error bad_argument "grammar: …" if there are more than max_parses parses, or too many
  // configs since the last trim().
  Config next(Config config, uint8_t byte) {
    const uint32_t c = automaton_->byte_class[byte];
    const Config known = steps_[size_t{config} * n_classes_ + c];
    return known != unknown ? known : step(config, c);
  }
  // Whether the text may end here, and whether it may go on.
  bool accepts(Config config) const { return configs_[config].accepts; }
  bool goes_on(Config config) const { return configs_[config].n_parses > 0; }
  // Where every character of plain text (see TokenTrie) leads to, if that is one config for all of them, `dead` too;
  // else `mixed`.
  static constexpr Config mixed = UINT32_MAX - 1;
  Config after_plain(Config config);

  // Forgets all configs but one if there are many, and returns that one's new number; trimmed() counts how often.
  Config trim(Config keep);
  uint32_t trimmed() const { return trimmed_; }

 private:
  static constexpr Config unknown = UINT32_MAX;
  struct Stack {  // where calls return to, the innermost first; 0: the root
    uint32_t state, below, depth;
    uint32_t count;  // of a counted call: which time this is, and state is the counter; else 0
  };
  struct StackKey {
    uint32_t state, below, count;
    friend bool operator==(const StackKey&, const StackKey&) = default;
  };
  struct StackHash {
    size_t operator()(const StackKey& k) const {
      return (((uint64_t{k.state} << 32 | k.below) * 0x9E3779B97F4A7C15u) ^ k.count) * 0xD6E8FEB86659FD93u >> 8;
    }
  };
  struct Parse {
    uint32_t state, stack;
    friend bool operator==(const Parse&, const Parse&) = default;
    friend auto operator<=>(const Parse&, const Parse&) = default;
  };
  struct ConfigData {
    uint32_t first_parse, n_parses;
    bool accepts;
    Config after_plain;  // may be unknown
  };

  Config step(Config config, uint32_t byte_class);
  void visit(Parse parse);
  uint32_t push(uint32_t state, uint32_t below, uint32_t count);
  void visit_call(const GrammarAutomaton::Call& call, uint32_t stack);
  void visit_counted(uint32_t counter, uint32_t below, uint32_t done);
  Config close();  // the config of what was visited, and of all that is reached from there
  Config intern(bool accepts);
  void clear();

  std::shared_ptr<const Grammar> grammar_;
  const GrammarAutomaton* automaton_;
  size_t n_classes_;
  Config start_ = dead;
  uint32_t trimmed_ = 0;
  std::vector<Stack> stacks_;
  std::unordered_map<StackKey, uint32_t, StackHash> stack_ids_;
  std::vector<Parse> parses_;
  std::vector<ConfigData> configs_;
  std::unordered_multimap<uint64_t, Config> config_ids_;
  std::vector<Config> steps_;
  // Of close(): what is to be looked at, what was, and what reads bytes.
  std::vector<Parse> work_, readers_;
  std::unordered_set<uint64_t> visited_;
};

}  // namespace quern
