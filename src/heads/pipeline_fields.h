// Fields of a pipeline's JSON in a model file. Include it in .cpp files of heads/ only.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "error.h"
#include "heads/pipeline.h"

namespace quern {

// Throws Error{bad_file} where the field is missing or of another type; name is the file's.
template <class T>
T pipeline_field(const nlohmann::json& object, const char* key, const std::string& name) {
  const auto found = object.find(key);
  if (found == object.end()) throw Error(Status::bad_file, name + ": a module lacks '" + key + "'");
  try {
    return found->get<T>();
  } catch (const nlohmann::json::exception&) {
    throw Error(Status::bad_file, name + ": '" + key + "' of a module has the wrong type: " + found->type_name());
  }
}

// A width: 0 to max_features.
inline int64_t pipeline_width(const nlohmann::json& object, const char* key, const std::string& name) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_unsigned() || found->get<uint64_t>() > uint64_t{max_features}) {
    throw Error(Status::bad_file, name + ": '" + key + "' of a Dense module is no number up to 16777216");
  }
  return found->get<int64_t>();
}

}  // namespace quern
