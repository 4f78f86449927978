// What lies beside a tokenizer.json and changes it: tokenizer_config.json, special_tokens_map.json, added_tokens.json.
#pragma once
#include "hub/hf_folder.h"

namespace quern {

// Makes folder.tokenizer_json what transformers 5 makes of it and those files, with a decision for each thing that they
// say otherwise; leaves it to the byte where they say nothing new:
// - tokens that only they name are added behind the vocabulary, their flags win;
// - `truncation_side`;
// - the classes that build BERT's tokenizer anew take its normalizer from tokenizer_config.json, where silence means
//   lower case.
// Returns how many tokens the file as it was would cut to; 0: it does not say.
// Needs folder.dir, .transformer_folder and .model_type. Throws Error bad_file.
uint64_t apply_tokenizer_settings(const HfFolder::ReadFile& read, HfFolder& folder);

}  // namespace quern
