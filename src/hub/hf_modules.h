// modules.json and the config.json of each module -> Pipeline. For hub/ alone.
#pragma once
#include <string>

#include "hub/hf_folder.h"

namespace quern {

// Fills pipeline, transformer_folder and decisions. Without modules.json the pipeline is mean pooling.
void read_modules(const HfFolder::ReadFile& read, HfFolder& folder);

}  // namespace quern
