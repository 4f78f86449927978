// Typed access to JSON. See json_field.h.
#include "json_field.h"

#include <nlohmann/json.hpp>

#include "utf8.h"

namespace quern {

std::string clip_message(std::string message) {
  constexpr size_t max_bytes = 400;
  if (message.size() <= max_bytes) return message;
  size_t end = max_bytes;
  while (end > 0 && (static_cast<uint8_t>(message[end]) & 0xC0) == 0x80) --end;  // not within a character
  return message.substr(0, end) + "…";
}

void JsonField::fail(const std::string& what, Status status) const {
  throw Error(status, clip_message(*file_ + ": " + path_ + (path_.empty() ? "" : " ") + what));
}

void JsonField::fail_type(const char* expected) const {
  fail("should be " + std::string(expected) + ", but is " + value_->type_name());
}

std::optional<JsonField> JsonField::find(const char* key) const {
  if (!value_->is_object()) fail_type("an object");
  const auto it = value_->find(key);
  if (it == value_->end() || it->is_null()) return std::nullopt;
  return JsonField(&*it, path_.empty() ? key : path_ + "." + key, file_);
}

JsonField JsonField::at(const char* key) const {
  std::optional<JsonField> field = find(key);
  if (!field) fail("has no \"" + std::string(key) + "\"");
  return *field;
}

std::string JsonField::string() const {
  if (!value_->is_string()) fail_type("a string");
  return value_->get<std::string>();
}

char32_t JsonField::character() const {
  const std::u32string chars = decode_utf8(string());
  if (chars.size() != 1) fail("should be one character");
  return chars[0];
}

bool JsonField::boolean() const {
  if (!value_->is_boolean()) fail_type("true or false");
  return value_->get<bool>();
}

double JsonField::number() const {
  if (!value_->is_number()) fail_type("a number");
  return value_->get<double>();
}

uint64_t JsonField::integer(uint64_t max) const {
  if (!value_->is_number_unsigned()) fail_type("a whole number");
  const uint64_t number = value_->get<uint64_t>();
  if (number > max) fail("should be at most " + std::to_string(max) + ", but is " + std::to_string(number));
  return number;
}

std::vector<JsonField> JsonField::items() const {
  if (!value_->is_array()) fail_type("an array");
  std::vector<JsonField> fields;
  for (size_t i = 0; i < value_->size(); ++i) {
    fields.emplace_back(&(*value_)[i], path_ + "[" + std::to_string(i) + "]", file_);
  }
  return fields;
}

std::vector<std::pair<std::string, JsonField>> JsonField::members() const {
  if (!value_->is_object()) fail_type("an object");
  std::vector<std::pair<std::string, JsonField>> fields;
  for (auto it = value_->begin(); it != value_->end(); ++it) {
    fields.emplace_back(it.key(), JsonField(&*it, path_ + "." + it.key(), file_));
  }
  return fields;
}

bool JsonField::is_string() const {
  return value_->is_string();
}

bool JsonField::is_object() const {
  return value_->is_object();
}

bool JsonField::points_left() const {
  const std::string direction = string_or("direction", "Right");
  if (direction != "Left" && direction != "Right") {
    at("direction").fail("is \"" + direction + "\"; expected Left or Right");
  }
  return direction == "Left";
}

bool JsonField::boolean_or(const char* key, bool absent) const {
  const std::optional<JsonField> field = find(key);
  return field ? field->boolean() : absent;
}

std::string JsonField::string_or(const char* key, const char* absent) const {
  const std::optional<JsonField> field = find(key);
  return field ? field->string() : absent;
}

}  // namespace quern
