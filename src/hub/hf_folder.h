// A Hugging Face model folder (transformers or sentence-transformers) -> the settings that a conversion needs, and
// where each one came from. Does not read weights and does not execute the tokenizer.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "chat/chat_format.h"
#include "hub/pipeline.h"

namespace quern {

struct Decision {
  std::string what;    // "max_length"
  std::string value;   // "256"
  std::string source;  // "sentence_bert_config.json: max_seq_length (tokenizer.json says 128)"
};

struct HfFolder {
  std::string dir;
  std::string transformer_folder;  // relative to dir, holds config.json, tokenizer.json and weights; usually ""
  std::string config_json;         // the bytes of config.json
  std::string tokenizer_json;      // the bytes of tokenizer.json
  std::string model_type;          // config.json
  std::vector<std::string> architectures;
  Pipeline pipeline;
  size_t max_length = 0;  // tokens with the special ones; 0: nothing in the folder says
  bool do_lower_case = false;
  std::map<std::string, std::string> prompts;  // name -> text
  std::string default_prompt;                  // a name in prompts, or empty
  std::string similarity = "cosine";           // cosine dot euclidean manhattan
  bool matryoshka = false;                     // the model card says that vectors may be cut
  std::vector<int32_t> end_tokens;             // that end a generated text, by generation_config.json or config.json
  ChatFormat chat;                             // empty for what is no chat model
  std::string repo, revision;                  // empty when unknown
  std::vector<Decision> decisions;

  // A file's bytes by its path relative to the folder, at most max_bytes of them; nullopt when it is not there.
  using ReadFile = std::function<std::optional<std::string>(const std::string& path, size_t max_bytes)>;

  // Throws Error: not_found (what the folder lacks), bad_file, unsupported (a module that is remote code).
  static HfFolder open(const std::string& dir);

  // The same without a file system; dir is for messages and for `repo`.
  static HfFolder read(const std::string& dir, const ReadFile& read_file);

  // dir/transformer_folder, where the weights are.
  std::string weights_dir() const;
};

}  // namespace quern
