// What the server says of itself, by how much it matters.
#pragma once
#include <functional>
#include <string>
#include <string_view>

namespace server {

enum class Level { error, warn, info, debug };
using Say = std::function<void(Level, const std::string&)>;  // one line; from any thread

// Of text from outside, within a line: what is no printable ASCII, quotation marks and backslashes become \xhh; at most
// `most` bytes of it.
std::string escaped(std::string_view text, size_t most = 300);

}  // namespace server
