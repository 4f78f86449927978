// A tokenizer.json for GGUF files that carry only llama.cpp's vocabulary keys.
#pragma once
#include <string>

namespace quern {

class GgufReader;

// For tokenizer.ggml.model bert (WordPiece, stored with "▁" before words in place of "##" before continuations;
// lower-cased unless the file says otherwise), gpt2 (byte-level BPE), llama (SentencePiece's BPE) and t5 (Unigram).
// Throws Error{unsupported} for other models and unknown splits, {bad_file} for bad keys.
std::string tokenizer_json_from_gguf(const GgufReader& file);

}  // namespace quern
