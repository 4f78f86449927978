// Typed access to a file of settings that is JSON, with errors that name file and field. A field that is null counts as
// absent, as it does for the libraries that write these files. Include it in .cpp files only.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "error.h"

namespace quern {

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

}  // namespace quern
