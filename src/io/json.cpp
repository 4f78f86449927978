// nlohmann's parser with a depth limit; it is iterative itself, but users of the values may recurse.
#include "io/json.h"

#include <algorithm>
#include <climits>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "error.h"
#include "io/mapped_file.h"

namespace quern {
namespace {

// Bytes of the valid, visible UTF-8 character that text begins with; 0 for anything else, control characters as well.
size_t character_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return lead >= 0x20 && lead != 0x7f ? 1 : 0;
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  uint32_t code = lead & (0x7f >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3f);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  const bool control = code < 0xa0 || (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
                       (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
  return overlong || surrogate || control || code > 0x10ffff ? 0 : length;
}

template <class Json>
Json parse_bounded(std::string_view text, const std::string& name, int max_depth, int max_members) {
  // The parser takes a NUL byte for the end of the text and would ignore what follows it.
  if (text.find('\0') != std::string_view::npos) throw Error(Status::bad_file, name + ": a NUL byte in JSON text");
  using Event = typename Json::parse_event_t;
  std::vector<int> n_members;  // of the objects and arrays that are open
  const auto check = [&](int depth, Event event, Json&) {
    const bool opens = event == Event::object_start || event == Event::array_start;
    if (opens && depth >= max_depth) {
      throw Error(Status::bad_file, name + ": JSON nested deeper than " + std::to_string(max_depth) + " levels");
    }
    if (opens) n_members.push_back(0);
    if (event == Event::object_end || event == Event::array_end) n_members.pop_back();
    if (event == Event::key && n_members.back()++ >= max_members) {
      throw Error(Status::bad_file, name + ": an object of more than " + std::to_string(max_members) + " members");
    }
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), check);
  } catch (const nlohmann::json::exception& e) {
    throw Error(Status::bad_file, name + ": invalid JSON: " + printable(e.what()));
  }
}

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& name, int max_depth) {
  return parse_bounded<nlohmann::json>(text, name, max_depth, INT_MAX);
}

nlohmann::ordered_json parse_ordered_json(std::string_view text, const std::string& name, int max_depth,
                                          int max_members) {
  try {
    return parse_bounded<nlohmann::ordered_json>(text, name, max_depth, max_members);
  } catch (const Error& e) {
    throw Error(Status::bad_argument, e.message);
  }
}

nlohmann::json read_json_file(const std::string& path, size_t max_bytes, int max_depth) {
  return parse_json(read_text_file(path, max_bytes), path, max_depth);
}

std::string printable(std::string_view text, size_t limit) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const size_t length = character_length(text.substr(i));
    if (out.size() + std::max<size_t>(length, 1) > limit) return out + "...";
    if (length == 0) {
      out += '?';
      ++i;
    } else {
      out += text.substr(i, length);
      i += length;
    }
  }
  return out;
}

}  // namespace quern
