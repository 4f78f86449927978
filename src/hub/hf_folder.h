// A Hugging Face model folder (transformers or sentence-transformers) -> the settings that a conversion needs, and
// where each one came from. Does not read weights and does not execute the tokenizer.
#pragma once
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model_settings.h"

namespace quern {

struct HfFolder : ModelSettings {
  std::string dir;
  std::string transformer_folder;  // relative to dir, holds config.json, tokenizer.json and weights; usually ""
  std::string config_json;         // the bytes of config.json
  std::string model_type;          // config.json
  std::vector<std::string> architectures;
  bool do_lower_case = false;
  bool is_late = false;    // queries and documents become vectors of tokens
  bool is_static = false;  // vectors of tokens stand where others have a transformer; config.json may be missing

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
