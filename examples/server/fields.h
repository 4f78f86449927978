// Typed, bounded access to a request's JSON. Whatever is wrong throws a Refusal that names the field.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "refusal.h"

namespace server {

using Json = nlohmann::ordered_json;

// Bounds of a body: nesting, members of an object (a lookup looks at each, so that the order in which they were written
// stays, which JSON schemas need), and members of all objects together.
constexpr int kMostDepth = 64;
constexpr size_t kMostMembers = 4096, kMostMembersInAll = 65536;
// Of lists, objects and strings together, each of which takes memory of its own, and of all values.
constexpr size_t kMostParts = size_t{1} << 18, kMostValues = size_t{1} << 22;

// What a body's JSON takes in memory, at most: counted without parsing it. Throws Reason::malformed for more values
// than there may be.
size_t json_bytes(std::string_view body);

// Throws Reason::malformed, also for what is out of bounds.
Json parse_body(std::string_view body);

// An object's fields. null counts as absent.
class Fields {
 public:
  // prefix: what stands before a field's name in messages, such as "parameters."
  explicit Fields(const Json& object, std::string prefix = {});

  const Json* find(const char* name) const;
  const Json& need(const char* name) const;
  bool flag(const char* name, bool otherwise) const;
  std::optional<bool> maybe_flag(const char* name) const;
  int64_t integer(const char* name, int64_t otherwise, int64_t least, int64_t most) const;
  double number(const char* name, double otherwise, double least, double most) const;
  std::string text(const char* name, const std::string& otherwise = {}) const;
  std::optional<std::string> maybe_text(const char* name) const;
  std::string need_text(const char* name) const;
  std::vector<std::string> texts(const char* name, size_t most) const;  // a string, or a list of them
  std::optional<Fields> object(const char* name) const;
  // The entries of `list`, which is that field or part of it, as token ids below `end`.
  std::vector<int32_t> ids(const char* name, const Json& list, int64_t end) const;

  // Throws wrong_type: "`prefix.name`: expected …, found …".
  [[noreturn]] void refuse(const char* name, const std::string& expected) const;
  std::string full_name(const char* name) const { return prefix_ + name; }
  const Json& json() const { return object_; }

 private:
  const Json& object_;
  std::string prefix_;
};

// As text, for answers; bytes that are not UTF-8 are replaced.
std::string dump(const Json& json);
// "a string", "the number 1e308", …: for messages; at most some 60 characters.
std::string describe(const Json& value);

}  // namespace server
