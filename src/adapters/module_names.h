// Which modules of a Hugging Face model a spec's part is made of, by the names that adapters have for them.
#pragma once
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "models/weight_map.h"

namespace quern {

// A module, without what may stand before its name, and where in it the part lies.
struct NamedModule {
  std::string name;
  int64_t first;  // of its rows, the part's first
  int64_t rows;   // of it, all
};

// rows: of the part. tables: names of the tables that came before, which takes this one's: a linear that falls back on
// a table (a tied head) is a module of its own, unless `tied`.
std::vector<NamedModule> modules_of(const WeightSpec& spec, size_t part, int64_t rows, std::set<std::string>& tables,
                                    bool tied);

// The name with that of the prefixes under which it is there; empty: it is not.
template <class T>
std::string spelled_module(const std::map<std::string, T>& modules, const std::string& name,
                           std::span<const std::string> prefixes) {
  for (const std::string& prefix : prefixes)
    if (modules.count(prefix + name)) return prefix + name;
  return {};
}

}  // namespace quern
