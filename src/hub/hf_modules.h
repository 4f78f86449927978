// modules.json and the config.json of each module -> Pipeline. For hub/ alone.
#pragma once
#include <string>

#include "hub/hf_folder.h"

namespace quern {

// Fills pipeline, transformer_folder and decisions. False without modules.json: the pipeline is mean pooling then.
bool read_modules(const HfFolder::ReadFile& read, HfFolder& folder);

}  // namespace quern
