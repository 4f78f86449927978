// A tokenizer as llama.cpp's keys say it, for files that llama.cpp is to run. quern's own files have tables of their
// own.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "chat/chat_template.h"
#include "gguf/writer.h"
#include "tokenizers/tokenizer.h"

namespace quern {

struct LlamaVocabularySource {
  const Tokenizer& tokenizer;
  std::string_view json;           // tokenizer.json, whole
  const TrustedStrings& specials;  // "bos_token" and its like, where transformers' settings name them
  int64_t rows;                    // of the token table: what the tokenizer lacks becomes unused tokens
  int64_t types;                   // of segments
};

// Writes tokenizer.ggml.*: WordPiece as "bert", byte-level BPE as "gpt2" where its split is one that llama.cpp has,
// SentencePiece's BPE as "llama" and Unigram as "t5". False, and nothing is written, where the stages are others: then
// llama.cpp could only read texts differently. Throws Error{bad_file}.
bool write_llama_vocabulary(GgufWriter& file, const LlamaVocabularySource& source);

}  // namespace quern
