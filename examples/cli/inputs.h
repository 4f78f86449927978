// The files that -f names.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace cli {

struct Inputs {
  std::vector<std::string> paths;  // "-" is stdin; a folder's files stand in its place, by name
  std::vector<double> before;      // bytes of those before each
  std::vector<int64_t> changed;    // when each was, in nanoseconds since 1970
  double bytes = 0;                // of all; negative where one has no size
};

// Throws Failure for what is not there, and for a folder without texts.
Inputs find_inputs(const std::vector<std::string>& names);

}  // namespace cli
