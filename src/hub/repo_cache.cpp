#include "hub/repo_cache.h"

#include <algorithm>
#include <filesystem>

#include "ascii.h"
#include "error.h"
#include "hub/hf_json.h"
#include "io/mapped_file.h"
#include "os/files.h"

namespace quern {
namespace {

namespace fs = std::filesystem;

bool is_below(const fs::path& path, const fs::path& folder) {
  const auto [end, at] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return end == folder.end();
}

}  // namespace

RepoCache::RepoCache(std::string cache, const RepoName& name)
    : cache_(std::move(cache)), folder_(cache_ + '/' + name.folder()) {}

std::optional<std::string> RepoCache::commit_of(const std::string& revision) const {
  if (is_commit(revision)) return revision;
  const std::string ref = ref_path(revision);
  if (!is_regular_file(ref)) return std::nullopt;
  const std::string commit = trimmed(read_model_text(ref, 4096));
  if (!is_commit(commit)) throw Error(Status::bad_file, ref + ": expected a commit of 40 hex digits");
  return commit;
}

bool RepoCache::has_file(const std::string& commit, const std::string& path, uint64_t size) const {
  const std::string file = snapshot(commit) + '/' + path;
  os::FileInfo info;
  if (!os::info_of(file, info) || !info.regular) return false;
  std::error_code error;
  const fs::path real = fs::canonical(os::path_of(file), error);
  // The cache, the repository in it or its blobs may each be a link to another disk.
  const std::string roots[] = {folder_ + "/blobs", cache_ + "/blobs", folder_, cache_};
  const bool inside = std::any_of(std::begin(roots), std::end(roots), [&](const std::string& root) {
    std::error_code missing;
    const fs::path real_root = fs::canonical(os::path_of(root), missing);
    return !missing && is_below(real, real_root);
  });
  if (error || !inside)
    throw Error(Status::bad_file, file + ": leads out of the Hub cache, to " + printable(os::text_of(real)) +
                                      "; remove it, and let quern pull get the file anew");
  return size == TreeFile::unknown_size || info.size == size;
}

RepoTree RepoCache::tree_of_snapshot(const std::string& commit) const {
  RepoTree tree;
  std::error_code error;
  const fs::path root = os::path_of(snapshot(commit));
  for (fs::recursive_directory_iterator at(root, error), end; !error && at != end && tree.size() < max_tree_files;
       at.increment(error)) {
    std::error_code gone;
    if (at->is_regular_file(gone)) tree[os::text_of(at->path().lexically_relative(root))] = {};
  }
  return tree;
}

RepoCache::Completeness RepoCache::check(const RepoName& name, const std::string& commit) const {
  Completeness result;
  if (!is_folder(snapshot(commit))) {
    result.fault = "there is no " + snapshot(commit);
    return result;
  }
  const std::optional<RepoTree> listed = read_tree(tree_path(commit));
  result.listed = listed.has_value();
  const RepoTree tree = listed ? *listed : tree_of_snapshot(commit);
  std::string unread;
  const auto read = [&](const std::string& path) -> std::optional<std::string> {
    if (has_file(commit, path, tree.at(path).size))
      return read_model_text(snapshot(commit) + '/' + path, max_tokenizer_bytes);
    unread = path;
    return std::nullopt;
  };
  try {
    result.needed = needed_files(tree, name, read);
  } catch (const Error& e) {
    if (listed) throw;
    result.fault = e.message;
    return result;
  }
  for (const std::string& path : result.needed.paths)
    if (!has_file(commit, path, tree.at(path).size)) unread = path;
  if (unread.empty() && !listed && !result.needed.gguf) {
    bool config = false, tokenizer = false;
    for (const std::string& path : result.needed.paths) {
      const size_t slash = path.rfind('/');
      const std::string folder = slash == path.npos ? "" : path.substr(0, slash), base = path.substr(slash + 1);
      if (!folder.empty() && folder != result.needed.transformer) continue;
      config = config || base == "config.json";
      tokenizer = tokenizer || base == "tokenizer.json" || base.ends_with(".model") || base.starts_with("vocab.");
    }
    if (!config || !tokenizer) unread = config ? "tokenizer.json" : "config.json";
  }
  result.complete = unread.empty();
  if (!unread.empty()) result.fault = snapshot(commit) + " lacks " + unread;
  return result;
}

}  // namespace quern
