// Names of files that came with a model: which of them may be opened.
#pragma once
#include <string_view>

namespace quern {

// True for a relative path without empty, "." or ".." parts, back slashes, drive letters or control bytes.
bool is_safe_relative_path(std::string_view path) noexcept;

// A file of this name is taken for pickle's, and not opened.
bool is_pickle_name(std::string_view path);

}  // namespace quern
