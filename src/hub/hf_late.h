// Folders of late-interaction models: sentence-transformers' MultiVectorEncoder, PyLate's and Stanford's ColBERT.
#pragma once
#include <string>

#include "hub/hf_json.h"

namespace quern {

// Whether the folder is one, by its configs: sentence-transformers' model_type, or Stanford's architecture.
bool is_late_interaction(const HfFolder::ReadFile& read, const HfFolder& folder);

// The module of modules.json behind the transformer of such a folder. type: its class's last name. False: it is none
// that such models have of their own or over tokens.
bool add_late_module(const HfFolder::ReadFile& read, const std::string& type, const std::string& path,
                     HfFolder& folder);

// What is not in modules.json: lengths, expansion and prompts, and of older checkpoints, whose modules are a Dense
// alone or none, the rest. After the tokenizer and the prompts.
void settle_late(const HfFolder::ReadFile& read, const JsonFile& config, HfFolder& folder);

}  // namespace quern
