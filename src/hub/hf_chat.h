// The chat templates of a folder, and the special tokens that these name.
#pragma once
#include "hub/hf_folder.h"

namespace quern {

// Fills folder.chat. Templates, with a decision where there are any: chat_template.jinja, else tokenizer_config.json's
// "chat_template" (one, or a list by name), else chat_template.json; others from additional_chat_templates/. Special
// tokens, of folders without templates too: from tokenizer_config.json, what it lacks from special_tokens_map.json.
// Throws Error bad_file.
void read_chat(const HfFolder::ReadFile& read, HfFolder& folder);

}  // namespace quern
