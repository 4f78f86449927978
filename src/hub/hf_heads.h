// Which heads a Hugging Face folder has besides the modules that make a vector: classifiers by the class that
// config.json names, bge-m3's by their files.
#pragma once
#include "hub/hf_json.h"

namespace quern {

// Into folder.pipeline and folder.decisions; the layers of heads are left to the architecture. A folder whose class is
// a classifier makes no vectors unless modules.json says how.
void read_heads(const HfFolder::ReadFile& read, const JsonFile& config, bool has_modules, HfFolder& folder);

// Of a classifier whose labels are known: what its scores go through.
void settle_activation(const HfFolder::ReadFile& read, const JsonFile& config, HfFolder& folder);

}  // namespace quern
