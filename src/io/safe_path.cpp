#include "io/safe_path.h"

#include <algorithm>

namespace quern {

bool is_safe_relative_path(std::string_view path) noexcept {
  if (path.empty() || path.size() > 4096) return false;
  if (std::any_of(path.begin(), path.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '\\'; })) {
    return false;
  }
  if (path.size() >= 2 && path[1] == ':') return false;  // a drive letter
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
    begin = end + 1;
  }
  return true;
}

bool is_pickle_name(std::string_view path) {
  constexpr std::string_view endings[] = {".bin", ".pt", ".pth", ".ckpt", ".pkl"};
  return std::any_of(std::begin(endings), std::end(endings), [&](std::string_view e) { return path.ends_with(e); });
}

}  // namespace quern
