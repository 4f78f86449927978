// Typed access to the JSON files of a model folder, with errors that name file and field. Include it in .cpp files of
// hub/ only. A field that is null counts as absent, as it does for the libraries that write these files.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "error.h"
#include "hub/hf_folder.h"
#include "io/json.h"

namespace quern {

constexpr size_t max_config_bytes = 16 << 20;
constexpr size_t max_tokenizer_bytes = 512 << 20;

class JsonFile {
 public:
  JsonFile(std::string name, nlohmann::json value) : name_(std::move(name)), value_(std::move(value)) {}

  const std::string& name() const { return name_; }
  const nlohmann::json& value() const { return value_; }

  const nlohmann::json* find(const char* key) const {
    const auto found = value_.is_object() ? value_.find(key) : value_.end();
    return found == value_.end() || found->is_null() ? nullptr : &*found;
  }

  std::optional<std::string> string(const char* key) const {
    const nlohmann::json* found = find(key);
    if (found == nullptr) return std::nullopt;
    if (!found->is_string()) wrong(key, "a string");
    return found->get<std::string>();
  }

  std::optional<bool> boolean(const char* key) const {
    const nlohmann::json* found = find(key);
    if (found == nullptr) return std::nullopt;
    if (!found->is_boolean()) wrong(key, "true or false");
    return found->get<bool>();
  }

  // A whole number from min to max.
  std::optional<size_t> count(const char* key, size_t min, size_t max) const {
    const nlohmann::json* found = find(key);
    if (found == nullptr) return std::nullopt;
    const bool valid = found->is_number_unsigned() && found->get<uint64_t>() >= min && found->get<uint64_t>() <= max;
    if (!valid) wrong(key, "a whole number from " + std::to_string(min) + " to " + std::to_string(max));
    return found->get<size_t>();
  }

  [[noreturn]] void wrong(const char* key, const std::string& expected) const {
    throw Error(Status::bad_file, name_ + ": '" + key + "' is not " + expected);
  }

 private:
  std::string name_;
  nlohmann::json value_;
};

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
