// Which of transformers' tokenizer classes a folder's tokenizer is of. Include it in .cpp files of hub/ only.
#pragma once
#include <string>

#include "io/json_file.h"

namespace quern {

// "bert" of tokenizer_config.json's BertTokenizerFast, without dashes and underscores; of config.json's model_type
// where the settings are absent (nullptr), name no class, or one that any tokenizer.json may have.
std::string tokenizer_family(const JsonFile* settings, const std::string& model_type);

// Whether transformers 5 takes the vocabulary alone from tokenizer.json and builds BERT's tokenizer around it.
bool rebuilds_bert(const JsonFile* settings, const std::string& model_type);

}  // namespace quern
