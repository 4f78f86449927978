#include "fields.h"

#include <cmath>

namespace server {

size_t json_bytes(std::string_view body) {
  size_t parts = 0, values = 0;
  bool in_string = false;
  for (size_t i = 0; i < body.size(); ++i) {
    const char c = body[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else
        in_string = c != '"';
      continue;
    }
    in_string = c == '"';
    parts += in_string || c == '[' || c == '{';
    values += c == ',' || c == ':' || c == '[' || c == '{';
  }
  if (parts > kMostParts || values > kMostValues)
    throw Refusal{Reason::malformed, "the request's JSON has more than " + std::to_string(kMostParts) +
                                         " strings, lists and objects, or more than " + std::to_string(kMostValues) +
                                         " values"};
  // A value's place, three times as its list grows; a part's own memory; the bytes of all strings.
  return 3 * sizeof(Json) * values + 64 * parts + body.size();
}

Json parse_body(std::string_view body) {
  json_bytes(body);
  size_t members[kMostDepth + 2] = {}, in_all = 0;
  const auto bounded = [&](int depth, Json::parse_event_t event, Json&) {
    if (depth > kMostDepth)
      throw Refusal{Reason::malformed, "the request's JSON is nested deeper than " + std::to_string(kMostDepth)};
    if (event == Json::parse_event_t::object_start) members[depth + 1] = 0;
    if (event == Json::parse_event_t::key && (++members[depth] > kMostMembers || ++in_all > kMostMembersInAll))
      throw Refusal{Reason::malformed, "the request's JSON has an object of more than " + std::to_string(kMostMembers) +
                                           " members, or more than " + std::to_string(kMostMembersInAll) + " in all"};
    return true;
  };
  Json json;
  try {
    json = Json::parse(body, bounded);
  } catch (const Json::exception& e) {
    std::string why = e.what();  // "[json.exception.parse_error.101] parse error at …: …"
    if (const size_t at = why.find("] "); at != std::string::npos) why.erase(0, at + 2);
    why.resize(std::min<size_t>(why.size(), 200));
    throw Refusal{Reason::malformed, "the request is not JSON: " + why};
  }
  return json;
}

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string describe(const Json& value) {
  if (value.is_string()) return "a string";
  if (value.is_array()) return "a list";
  if (value.is_object()) return "an object";
  if (value.is_number()) return "the number " + value.dump().substr(0, 40);
  return value.dump();  // true, false, null
}

Fields::Fields(const Json& object, std::string prefix) : object_(object), prefix_(std::move(prefix)) {}

const Json* Fields::find(const char* name) const {
  const auto at = object_.find(name);
  return at == object_.end() || at->is_null() ? nullptr : &*at;
}

const Json& Fields::need(const char* name) const {
  const Json* value = find(name);
  if (!value) throw Refusal{Reason::wrong_type, "`" + full_name(name) + "` is missing", full_name(name)};
  return *value;
}

void Fields::refuse(const char* name, const std::string& expected) const {
  const Json* value = find(name);
  throw Refusal{Reason::wrong_type,
                "`" + full_name(name) + "`: expected " + expected + ", found " + (value ? describe(*value) : "nothing"),
                full_name(name)};
}

bool Fields::flag(const char* name, bool otherwise) const {
  return maybe_flag(name).value_or(otherwise);
}

std::optional<bool> Fields::maybe_flag(const char* name) const {
  const Json* value = find(name);
  if (!value) return std::nullopt;
  if (!value->is_boolean()) refuse(name, "true or false");
  return value->get<bool>();
}

int64_t Fields::integer(const char* name, int64_t otherwise, int64_t least, int64_t most) const {
  const Json* value = find(name);
  if (!value) return otherwise;
  const auto wrong = [&] { refuse(name, "an integer from " + std::to_string(least) + " to " + std::to_string(most)); };
  if (value->is_number_unsigned()) {
    const uint64_t n = value->get<uint64_t>();
    if (n > static_cast<uint64_t>(most < 0 ? 0 : most) || static_cast<int64_t>(n) < least) wrong();
    return static_cast<int64_t>(n);
  }
  if (value->is_number_float()) {  // some clients send 16.0
    const double d = value->get<double>();
    if (!(d >= -9e15 && d <= 9e15) || d != std::floor(d)) wrong();
    const int64_t n = static_cast<int64_t>(d);
    if (n < least || n > most) wrong();
    return n;
  }
  if (!value->is_number_integer()) wrong();
  const int64_t n = value->get<int64_t>();
  if (n < least || n > most) wrong();
  return n;
}

double Fields::number(const char* name, double otherwise, double least, double most) const {
  const Json* value = find(name);
  if (!value) return otherwise;
  const auto wrong = [&] {
    const auto plain = [](double d) { return Json(d).dump(); };
    refuse(name, "a number from " + plain(least) + " to " + plain(most));
  };
  if (!value->is_number()) wrong();
  const double d = value->get<double>();
  if (!(d >= least && d <= most)) wrong();
  return d;
}

std::optional<std::string> Fields::maybe_text(const char* name) const {
  const Json* value = find(name);
  if (!value) return std::nullopt;
  if (!value->is_string()) refuse(name, "a string");
  return value->get<std::string>();
}

std::string Fields::text(const char* name, const std::string& otherwise) const {
  return maybe_text(name).value_or(otherwise);
}

std::string Fields::need_text(const char* name) const {
  need(name);
  return *maybe_text(name);
}

std::vector<std::string> Fields::texts(const char* name, size_t most) const {
  const Json* value = find(name);
  if (!value) return {};
  if (value->is_string()) return {value->get<std::string>()};
  if (!value->is_array()) refuse(name, "a string or a list of strings");
  if (value->size() > most)
    throw Refusal{Reason::validation,
                  "`" + full_name(name) + "` has " + std::to_string(value->size()) + " entries, the limit is " +
                      std::to_string(most),
                  full_name(name)};
  std::vector<std::string> all;
  for (const Json& entry : *value) {
    if (!entry.is_string()) refuse(name, "a string or a list of strings");
    all.push_back(entry.get<std::string>());
  }
  return all;
}

std::vector<int32_t> Fields::ids(const char* name, const Json& list, int64_t end) const {
  std::vector<int32_t> ids;
  for (const Json& id : list) {
    const bool fine = id.is_number_unsigned()
                          ? id.get<uint64_t>() < static_cast<uint64_t>(end)
                          : id.is_number_integer() && id.get<int64_t>() >= 0 && id.get<int64_t>() < end;
    if (!fine)
      throw Refusal{Reason::validation,
                    "`" + full_name(name) + "`: expected token ids from 0 to " + std::to_string(end - 1) + ", found " +
                        describe(id),
                    full_name(name)};
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

std::optional<Fields> Fields::object(const char* name) const {
  const Json* value = find(name);
  if (!value) return std::nullopt;
  if (!value->is_object()) refuse(name, "an object");
  return Fields(*value, prefix_ + name + ".");
}

}  // namespace server
