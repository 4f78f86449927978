// Typed access to the parts of a tokenizer.json: every failure is an Error that names the file and the key.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "error.h"

namespace quern {

// At most 400 bytes of a message, for it may quote a file.
std::string clip_message(std::string message);

// A value and its path. Refers to the document, which must outlive it.
class JsonField {
 public:
  JsonField(const nlohmann::json* value, std::string path, const std::string* file)
      : value_(value), path_(std::move(path)), file_(file) {}

  // A member of this object: at() demands it; find() gives nothing where it is absent or null.
  JsonField at(const char* key) const;
  std::optional<JsonField> find(const char* key) const;

  std::string string() const;
  char32_t character() const;  // of a string that holds one
  bool boolean() const;
  double number() const;
  uint64_t integer(uint64_t max) const;                            // 0 … max
  std::vector<JsonField> items() const;                            // of an array
  std::vector<std::pair<std::string, JsonField>> members() const;  // of an object
  bool is_string() const;
  bool is_object() const;

  // Whether member "direction" is Left; Right where it is absent.
  bool points_left() const;

  // find(key), with a value for absence.
  bool boolean_or(const char* key, bool absent) const;
  std::string string_or(const char* key, const char* absent) const;

  const std::string& path() const { return path_; }
  std::string where() const { return *file_ + ": " + path_; }
  [[noreturn]] void fail(const std::string& what, Status status = Status::bad_file) const;

 private:
  [[noreturn]] void fail_type(const char* expected) const;
  const nlohmann::json* value_;
  std::string path_;
  const std::string* file_;
};

// Of a Sequence of normalizers or pre-tokenizers.
inline constexpr size_t max_steps = 256;

// A stage's type and what makes it from its JSON object. Each kind of stage has one table of these.
template <class Stage>
struct StageType {
  const char* name;
  Stage (*make)(const JsonField&);
};

// Makes the stage that field's "type" names, or throws Error unsupported with the names of the table.
template <class Stage, size_t n>
Stage make_stage(const JsonField& field, const StageType<Stage> (&types)[n]) {
  const std::string type = field.at("type").string();
  std::string known;
  for (const StageType<Stage>& t : types) {
    if (type == t.name) return t.make(field);
    known += (known.empty() ? "" : ", ") + std::string(t.name);
  }
  field.fail("type \"" + type + "\" is not supported (supported: " + known + ")", Status::unsupported);
}

}  // namespace quern
