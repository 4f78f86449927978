// Folders of static embeddings, which are a table of tokens' vectors and a tokenizer: model2vec's and
// sentence-transformers' StaticEmbedding. Include it in .cpp files of hub/ only.
#pragma once
#include "hub/hf_folder.h"
#include "io/json_file.h"

namespace quern {

// After the modules: whether the folder is one of these; then folder.is_static, and folder.config_json, which model2vec
// writes and sentence-transformers does not. Throws Error bad_file.
bool read_static_config(const HfFolder::ReadFile& read, HfFolder& folder);

// After the tokenizer and the lengths. No special tokens go around a text. A folder that model2vec has written is run
// as model2vec runs it: unknown tokens are left out, a text is cut at config.json's max_length (512 without one; null:
// at none), and `normalize` decides where there is no modules.json. Throws Error bad_file.
void settle_static(const JsonFile& config, bool has_modules, HfFolder& folder);

}  // namespace quern
