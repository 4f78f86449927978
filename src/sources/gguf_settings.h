// What a GGUF file's keys say of a model's use, in each layout that quern reads.
#pragma once
#include "gguf/reader.h"
#include "model_settings.h"
#include "models/model.h"

namespace quern {

struct GgufLayout {
  uint32_t version;  // quern.layout_version; 0: the file is llama.cpp's
  ModelSettings (*settings)(const GgufReader& file, const Architecture& architecture, const Model& model);
  bool tables;      // the tokenizer's vocabulary lies in tables, which are used in place
  bool end_tokens;  // settings() has them; else the vocabulary tells
};

// Throws Error{unsupported} for one of a later quern.
const GgufLayout& gguf_layout_of(const GgufReader& file);

// general.sampling.*, of any layout's and llama.cpp's files. Throws Error bad_file.
SamplingDefaults gguf_sampling_of(const GgufReader& file);

}  // namespace quern
