// The tokenizer of a folder without tokenizer.json: what transformers would make of vocab.txt, of vocab.json and
// merges.txt, or of a SentencePiece model.
#pragma once
#include <optional>
#include <string>

#include "hub/hf_folder.h"

namespace quern {

// A tokenizer.json, and a decision that says what it is made of; nullopt if the folder has no vocabulary either. Needs
// folder.dir, .transformer_folder and .model_type. Throws Error: bad_file, or unsupported for a family that quern does
// not know how to build.
std::optional<std::string> build_tokenizer_json(const HfFolder::ReadFile& read, HfFolder& folder);

}  // namespace quern
