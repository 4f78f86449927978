#include "heads/pooling.h"

#include "error.h"

namespace quern {
namespace {

struct Mode {
  const char* name;
  Pooling pooling;
};
// In the order of concatenation.
constexpr Mode kModes[] = {{"cls", Pooling::first},
                           {"max", Pooling::max},
                           {"mean", Pooling::mean},
                           {"mean_sqrt_len_tokens", Pooling::mean_sqrt_len},
                           {"weightedmean", Pooling::weighted_mean},
                           {"lasttoken", Pooling::last}};

}  // namespace

std::vector<std::string> pooling_modes() {
  std::vector<std::string> names;
  for (const Mode& mode : kModes) names.emplace_back(mode.name);
  return names;
}

Pooling find_pooling(const std::string& mode, const std::string& name) {
  std::string known;
  for (const Mode& m : kModes) {
    if (mode == m.name) return m.pooling;
    known += (known.empty() ? "" : ", ") + std::string(m.name);
  }
  throw Error(Status::bad_argument, name + ": pooling mode \"" + mode + "\" does not exist (there are: " + known + ")");
}

}  // namespace quern
