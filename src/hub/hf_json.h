// The JSON files of a model folder. Include it in .cpp files of hub/ only.
#pragma once
#include <optional>
#include <string>

#include "hub/hf_folder.h"
#include "io/json.h"
#include "io/json_file.h"

namespace quern {

constexpr size_t max_config_bytes = 16 << 20;
constexpr size_t max_tokenizer_bytes = 512 << 20;

// The folder's file as JSON, nullopt when it is not there. An object unless `any` is set.
inline std::optional<JsonFile> read_json(const std::string& dir, const HfFolder::ReadFile& read,
                                         const std::string& path, bool any = false) {
  const std::optional<std::string> text = read(path, max_config_bytes);
  if (!text) return std::nullopt;
  const std::string name = dir + "/" + path;
  JsonFile file(name, parse_json(*text, name));
  if (!any && !file.value().is_object()) throw Error(Status::bad_file, name + ": no JSON object");
  return file;
}

inline std::string join_path(const std::string& folder, const std::string& file) {
  return folder.empty() ? file : folder + "/" + file;
}

}  // namespace quern
