// See grammar_work.h.
#include "grammar_work.h"

#include "error.h"

namespace quern {

void GrammarWork::spend(uint64_t steps) {
  if (steps > left_)
    throw Error(Status::unsupported,
                "grammar: the patterns, formats, lists of values and multiples together take more than " +
                    std::to_string(max_steps) + " steps to read, which is not supported; fewer or simpler ones are");
  left_ -= steps;
}

const std::optional<CodeSet>& GrammarWork::property(std::string_view name) {
  auto found = properties_.find(name);
  if (found == properties_.end()) {
    spend(CodeSet::last_code);
    found = properties_.emplace(name, CodeSet::property(name)).first;
  }
  return found->second;
}

}  // namespace quern
