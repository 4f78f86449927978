// JSON text from files that we do not control, into nlohmann's value: bounded depth, and errors that name the file.
// Include it in .cpp files only.
#pragma once
#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace quern {

// name is for messages. Throws Error bad_file: invalid JSON or UTF-8, NUL bytes, nesting deeper than max_depth.
nlohmann::json parse_json(std::string_view text, const std::string& name, int max_depth = 64);

// The same of what a caller gives: Error bad_argument. The members of objects are in the order of the text, at most
// max_members in one object: looking one up takes time in proportion to their number.
nlohmann::ordered_json parse_ordered_json(std::string_view text, const std::string& name, int max_depth = 64,
                                          int max_members = 1024);

// parse_json() of a file of at most max_bytes.
nlohmann::json read_json_file(const std::string& path, size_t max_bytes, int max_depth = 64);

// Text of a file for use inside a message or listing: at most limit bytes (and "..." when cut). Control characters,
// text direction marks and broken UTF-8 become '?'.
std::string printable(std::string_view text, size_t limit = 120);

}  // namespace quern
