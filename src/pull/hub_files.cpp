#include "pull/hub_files.h"

#include "error.h"
#include "io/json.h"
#include "pull/checked_file.h"

namespace quern {
namespace {

constexpr size_t max_listed_bytes = 400;  // of names in a message

// The folder of which the Hub is to list the files: up to the last "/" before what a pattern begins with.
std::string listed_folder(const std::string& path) {
  const std::string plain = path.substr(0, path.find_first_of("*?["));
  const size_t slash = plain.rfind('/');
  return slash == std::string::npos ? "" : plain.substr(0, slash);
}

// Whether what the pattern means may lie deeper than in that folder.
bool goes_deeper(const std::string& path, const std::string& folder) {
  const std::string rest = path.substr(folder.empty() ? 0 : folder.size() + 1);
  return rest.find("**") != std::string::npos || rest.find('/') != std::string::npos;
}

}  // namespace

HubFiles::HubFiles(const HubAddress& address, const HubSettings& settings, PullReport report)
    : address_(address), hub_(settings, address.repo, std::move(report)) {
  const std::string& revision = address_.repo.revision;
  commit_ = is_commit(revision) ? revision : hub_.commit();
  const std::string folder = listed_folder(address_.path);
  const RepoTree tree = hub_.tree(commit_, folder, goes_deeper(address_.path, folder));
  choose(tree);
  if (files_.empty() && !address_.path.empty() && !is_path_pattern(address_.path)) {
    folder_ = true;
    const RepoTree inside = hub_.tree(commit_, address_.path, false);
    choose(inside);
    if (files_.empty()) throw_none(tree);
  }
  if (files_.empty()) throw_none(tree);
  for (File& file : files_)
    if (file.about.etag().empty() || file.about.size == TreeFile::unknown_size)
      file.about = hub_.ask(commit_, file.path);
}

// The address's files out of a list that may have others.
void HubFiles::choose(const RepoTree& tree) {
  folder_ = folder_ || address_.path.empty();
  const std::string wanted = !folder_ ? address_.path : address_.path.empty() ? "*" : address_.path + "/*";
  for (const auto& [path, about] : tree)
    if (is_path_pattern(wanted) ? matches_path(path, wanted) : path == wanted) files_.push_back({path, about});
}

void HubFiles::throw_none(const RepoTree& tree) const {
  std::string list;
  for (const auto& [path, about] : tree) {
    if (list.size() > max_listed_bytes) {
      list += ", ...";
      break;
    }
    list += (list.empty() ? "; there are: " : ", ") + printable(path);
  }
  throw Error(Status::not_found, address_.repo.text() + ": the repository has no " +
                                     (address_.path.empty() ? "files" : "file " + printable(address_.path)) + list);
}

void HubFiles::fetch(size_t i, int descriptor) {
  const File& file = files_.at(i);
  CheckedFile to(descriptor, file.path, "make room, or set TMPDIR to a folder on another disk", file.about);
  to.restart();
  download_checked(hub_, commit_, file.path, file.about, to);
}

}  // namespace quern
