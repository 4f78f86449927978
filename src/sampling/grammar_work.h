// How much work the patterns of one grammar make, and what is held against them. Steps are counted, not timed: what is
// too much is too much on every machine.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "tokenizers/code_set.h"

namespace quern {

class GrammarWork {
 public:
  static constexpr uint64_t max_steps = uint64_t{1} << 27;  // each a few nanoseconds

  // Throws Error unsupported if there are more than max_steps in all.
  void spend(uint64_t steps);
  // CodeSet::property(), which looks at every character, once for each name.
  const std::optional<CodeSet>& property(std::string_view name);

 private:
  uint64_t left_ = max_steps;
  std::map<std::string, std::optional<CodeSet>, std::less<>> properties_;
};

}  // namespace quern
