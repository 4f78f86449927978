// URLs as far as a client needs them: origins, relative references, percent-encoding.
#pragma once
#include <string>
#include <string_view>

namespace quern {

// "https://host:port" in lower case with the scheme's own port written out; "" where it is no http(s) URL. A URL with a
// user name in it, or with control characters or blanks, counts as none.
std::string origin_of(std::string_view url);

// The same to be read: without the scheme's own port.
std::string shown_origin(std::string_view url);

bool is_https(std::string_view url) noexcept;

// `reference` (absolute, "//host/…", "/path", "path", "?query") as seen from `base`, an absolute URL. "" where the
// result is no http(s) URL.
std::string join_url(const std::string& base, std::string_view reference);

// A path for a URL: all but unreserved characters and, unless `whole`, slashes are percent-encoded.
std::string encode_path(std::string_view path, bool whole = false);

}  // namespace quern
