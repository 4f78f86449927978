#include "adapters/module_names.h"

#include <algorithm>

namespace quern {

std::vector<NamedModule> modules_of(const WeightSpec& spec, size_t part, int64_t rows, std::set<std::string>& tables,
                                    bool tied) {
  std::vector<NamedModule> modules;
  const std::string& spellings = spec.parts[part].hf;
  for (size_t begin = 0; begin <= spellings.size();) {
    const size_t end = std::min(spellings.find('|', begin), spellings.size());
    const std::string name = spellings.substr(begin, end - begin);
    begin = end + 1;
    if (spec.kind == WeightSpec::Kind::table) tables.insert(name);
    if (spec.kind == WeightSpec::Kind::linear && !tied && tables.count(name)) continue;
    modules.push_back({name, spec.hf_skip, spec.hf_skip + rows});
  }
  if (!spec.hf_whole.empty()) {
    int64_t first = 0;
    for (size_t i = 0; i < part; ++i) first += spec.parts[i].N;
    modules.push_back({spec.hf_whole, first, spec.N});
  }
  return modules;
}

}  // namespace quern
