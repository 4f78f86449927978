#include "net/url.h"

#include <algorithm>

#include "ascii.h"

namespace quern {
namespace {

// Where the authority ("host:port") ends.
size_t end_of_authority(std::string_view url, size_t begin) {
  return std::min(url.find_first_of("/?#", begin), url.size());
}

}  // namespace

bool is_https(std::string_view url) noexcept {
  return url.size() >= 8 && ascii_lower(std::string(url.substr(0, 8))) == "https://";
}

std::string origin_of(std::string_view url) {
  const size_t colon = url.find("://");
  if (colon == url.npos) return {};
  const std::string scheme = ascii_lower(std::string(url.substr(0, colon)));
  if (scheme != "http" && scheme != "https") return {};
  if (std::any_of(url.begin(), url.end(), [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7f; }))
    return {};
  const size_t begin = colon + 3;
  std::string authority = ascii_lower(std::string(url.substr(begin, end_of_authority(url, begin) - begin)));
  if (authority.empty() || authority.find_first_of("@\\") != std::string::npos) return {};
  const size_t port = authority.rfind(':'), bracket = authority.rfind(']');
  const bool has_port = port != std::string::npos && (bracket == std::string::npos || port > bracket);
  if (!has_port) authority += scheme == "https" ? ":443" : ":80";
  return scheme + "://" + authority;
}

std::string shown_origin(std::string_view url) {
  std::string origin = origin_of(url);
  for (const std::string_view own : {":443", ":80"})
    if (origin.ends_with(own) && origin.starts_with("https") == (own == ":443"))
      origin.resize(origin.size() - own.size());
  return origin;
}

std::string join_url(const std::string& base, std::string_view reference) {
  const size_t scheme_end = base.find("://");
  if (scheme_end == std::string::npos) return {};
  const size_t authority = scheme_end + 3, path = end_of_authority(base, authority);
  std::string url(reference.substr(0, reference.find('#')));
  const size_t colon = url.find(':');
  const bool absolute = colon != std::string::npos && colon < url.find_first_of("/?#");
  if (!absolute) {
    if (url.starts_with("//"))
      url = base.substr(0, scheme_end + 1) + url;
    else if (url.starts_with('/'))
      url = base.substr(0, path) + url;
    else if (url.starts_with('?'))
      url = base.substr(0, std::min(base.find_first_of("?#", path), base.size())) + url;
    else {
      const std::string without_query = base.substr(0, std::min(base.find_first_of("?#", path), base.size()));
      const size_t slash = without_query.rfind('/');
      url = (slash < path ? base.substr(0, path) + '/' : without_query.substr(0, slash + 1)) + url;
    }
  }
  return origin_of(url).empty() ? std::string() : url;
}

std::string encode_path(std::string_view path, bool whole) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~' || (c == '/' && !whole);
    const auto byte = static_cast<unsigned char>(c);
    if (plain)
      out += c;
    else
      out += {'%', digits[byte >> 4], digits[byte & 15]};
  }
  return out;
}

}  // namespace quern
