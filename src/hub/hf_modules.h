// modules.json and the config.json of each module -> Pipeline. Include it in .cpp files of hub/ only.
#pragma once
#include <string>
#include <vector>

#include "hub/hf_folder.h"
#include "io/json_file.h"

namespace quern {

struct ModuleEntry {
  JsonFile fields;   // the entry, by the name of its file
  std::string path;  // of its folder; "" for the one that holds modules.json
};
// The 1 to 32 entries of modules.json in their order, the transformer's first. Throws Error bad_file, for paths that
// climb out too.
std::vector<ModuleEntry> module_entries(const JsonFile& list);

// Fills pipeline, transformer_folder and decisions. False without modules.json: the pipeline is mean pooling then.
bool read_modules(const HfFolder::ReadFile& read, HfFolder& folder);

}  // namespace quern
