// hf://datasets/org/name[@revision]/path, as huggingface_hub's file system reads it.
#include <algorithm>

#include "error.h"
#include "hub/repo_name.h"
#include "hub/wildcard.h"
#include "io/json.h"
#include "io/safe_path.h"

namespace quern {
namespace {

constexpr std::string_view scheme = "hf://", datasets = "datasets/";
constexpr size_t max_address_bytes = 4096;

[[noreturn]] void refuse(const std::string& text, const std::string& why) {
  throw Error(Status::bad_argument, printable(text, 200) + ": " + why +
                                        ": expected hf://datasets/org/name/path/to/file.parquet, with @revision "
                                        "behind the name where it is not main");
}

// The first `n` parts of a path, less than all of it where there are more.
std::string_view parts_of(std::string_view text, int n) {
  size_t end = 0;
  for (int i = 0; i < n && end != text.npos; ++i) end = text.find('/', i == 0 ? 0 : end + 1);
  return text.substr(0, end);
}

std::string decoded(std::string_view revision) {
  std::string out;
  for (size_t i = 0; i < revision.size(); ++i) {
    const bool slash = revision.substr(i, 3) == "%2F" || revision.substr(i, 3) == "%2f";
    out += slash ? '/' : revision[i];
    if (slash) i += 2;
  }
  return out;
}

// Takes the revision from the front of what follows "@".
std::string take_revision(std::string_view& rest) {
  const bool special = rest.starts_with("refs/convert/") || rest.starts_with("refs/pr/");
  const std::string_view revision = parts_of(rest, special ? 3 : 1);
  rest.remove_prefix(revision.size());
  return revision == "~parquet" ? "refs/convert/parquet" : decoded(revision);
}

bool matches_parts(std::string_view path, std::string_view pattern) {
  if (pattern.empty()) return path.empty();
  const std::string_view part = parts_of(pattern, 1);
  const std::string_view rest = pattern.substr(std::min(part.size() + 1, pattern.size()));
  if (part == "**") {
    if (rest.empty()) return !path.empty();
    for (;;) {
      if (matches_parts(path, rest)) return true;
      const size_t slash = path.find('/');
      if (slash == path.npos) return false;
      path.remove_prefix(slash + 1);
    }
  }
  if (path.empty()) return false;
  const std::string_view name = parts_of(path, 1);
  if (!matches_wildcard(part, name)) return false;
  return matches_parts(path.substr(std::min(name.size() + 1, path.size())), rest);
}

}  // namespace

bool is_hub_address(std::string_view text) noexcept {
  return text.starts_with(scheme);
}

HubAddress parse_hub_address(const std::string& text) {
  std::string_view rest = text;
  if (!is_hub_address(rest) || rest.size() > max_address_bytes) refuse(text, "is no address of the Hub");
  rest.remove_prefix(scheme.size());
  if (!rest.starts_with(datasets)) refuse(text, "texts come from datasets");
  rest.remove_prefix(datasets.size());
  HubAddress address;
  address.repo.dataset = true;
  const std::string_view name = parts_of(rest.substr(0, rest.find('@')), 2);
  address.repo.repo = name;
  rest.remove_prefix(name.size());
  if (address.repo.repo.find('/') == std::string::npos || !is_repo_id(address.repo.repo))
    refuse(text, "'" + printable(address.repo.repo) + "' is no name of a dataset");
  if (rest.starts_with('@')) {
    rest.remove_prefix(1);
    address.repo.revision = take_revision(rest);
    if (!is_revision(address.repo.revision))
      refuse(text, "'" + printable(address.repo.revision) + "' is no branch, tag or commit");
  }
  if (rest.starts_with('/')) rest.remove_prefix(1);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  address.path = rest;
  if (!rest.empty() && !is_safe_relative_path(rest))
    refuse(text, "'" + printable(address.path) + "' is no path of a file or folder");
  return address;
}

bool is_path_pattern(std::string_view path) noexcept {
  return path.find_first_of("*?[") != path.npos;
}

bool matches_path(const std::string& path, const std::string& pattern) {
  return matches_parts(path, pattern);
}

}  // namespace quern
