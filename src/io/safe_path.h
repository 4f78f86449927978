// Relative paths that came with a model: which of them may be opened below its folder.
#pragma once
#include <string_view>

namespace quern {

// True for a relative path without empty, "." or ".." parts, back slashes, drive letters or control bytes.
bool is_safe_relative_path(std::string_view path) noexcept;

}  // namespace quern
