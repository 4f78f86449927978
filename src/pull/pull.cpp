#include "pull/pull.h"

#include <algorithm>
#include <utility>

#include "error.h"
#include "hub/needed_files.h"
#include "hub/repo_cache.h"
#include "io/mapped_file.h"
#include "os/files.h"
#include "os/process.h"
#include "pull/blob_download.h"
#include "pull/cache_writer.h"

namespace quern {
namespace {

constexpr size_t max_list_bytes = size_t{64} << 20;  // of modules.json, an index of shards

class Puller {
 public:
  Puller(const RepoName& name, const HubSettings& settings, const PullOptions& options)
      : name_(name),
        options_(options),
        repo_(settings.cache, name),
        writer_(repo_, settings.symlinks),
        hub_(settings, name, whole_report()) {}

  Pulled run() {
    const auto known = options_.refresh ? std::nullopt : repo_.commit_of(name_.revision);
    commit_ = known ? *known : is_commit(name_.revision) ? name_.revision : hub_.commit();
    auto kept = read_tree(repo_.tree_path(commit_));
    kept_ = kept.has_value();
    tree_ = kept ? *std::move(kept) : hub_.tree(commit_);
    Pulled result{.commit = commit_, .folder = repo_.snapshot(commit_), .gguf = {}, .files = {}};
    choose(result);
    for (const std::string& path : result.files) describe(path);
    std::vector<std::string> missing;
    for (const std::string& path : result.files) {
      result.bytes += tree_.at(path).size;
      if (!repo_.has_file(commit_, path, tree_.at(path).size)) missing.push_back(path);
    }
    for (const std::string& path : missing) total_ += static_cast<double>(tree_.at(path).size);
    if (!missing.empty()) require_room();
    for (const std::string& path : missing) fetch(path);
    if (!prepared_) write_tree();
    result.downloaded = downloaded_;
    writer_.write_ref(name_.revision, commit_);
    return result;
  }

 private:
  // Of one file as the client tells it, into that of all.
  PullReport whole_report() {
    return [this](const PullProgress& p) {
      if (!options_.report) return true;
      PullProgress all = p;
      const bool bytes = p.phase == PullProgress::Phase::downloading || p.phase == PullProgress::Phase::checking;
      if (bytes && total_ > 0) all.done = std::min(done_ + p.done, total_), all.total = total_;
      return options_.report(all);
    };
  }

  // Before anything is written, and not earlier: what is refused leaves nothing behind. The list comes first, so that a
  // snapshot that is begun is never taken for a whole one.
  void prepare() {
    if (std::exchange(prepared_, true)) return;
    writer_.prepare();
    write_tree();
  }
  void write_tree() {
    if (!kept_) writer_.write_tree(commit_, tree_);
  }

  // Asks for size and hash where the list of files has not said them.
  void describe(const std::string& path) {
    TreeFile& file = tree_.at(path);
    if (!file.etag().empty() && file.size != TreeFile::unknown_size) return;
    file = hub_.ask(commit_, path);
  }

  void choose(Pulled& result) {
    if (!options_.include.empty() || !options_.exclude.empty()) {
      const auto any = [](const std::vector<std::string>& patterns, const std::string& path) {
        return std::any_of(patterns.begin(), patterns.end(),
                           [&](const std::string& p) { return matches_pattern(path, p); });
      };
      for (const auto& [path, file] : tree_)
        if ((options_.include.empty() || any(options_.include, path)) && !any(options_.exclude, path))
          result.files.push_back(path);
      if (result.files.empty())
        throw Error(Status::not_found, name_.text() +
                                           ": no file of the repository matches what is included and not "
                                           "excluded");
      return;
    }
    NeededFiles needed = needed_files(tree_, name_, [&](const std::string& path) -> std::optional<std::string> {
      describe(path);
      if (!repo_.has_file(commit_, path, tree_.at(path).size)) fetch(path);
      return read_model_text(repo_.snapshot(commit_) + '/' + path, max_list_bytes);
    });
    result.files = std::move(needed.paths);
    if (needed.gguf) result.gguf = result.folder + '/' + result.files[0];
  }

  void fetch(const std::string& path) {
    prepare();
    const TreeFile& file = tree_.at(path);
    const bool fresh = download_blob(hub_, repo_, writer_, commit_, path, file);
    writer_.place(commit_, path, file.etag(), fresh);
    done_ += static_cast<double>(file.size);
    if (fresh) downloaded_ += file.size;
  }

  // Before the first byte is asked for, rather than hours later.
  void require_room() {
    prepare();
    double room = 0;
    if (!os::free_space(repo_.folder() + "/blobs", room) || total_ <= room) return;
    throw Error(Status::io, name_.text() + ": needs " + std::to_string(static_cast<uint64_t>(total_ / 1e6) + 1) +
                                " MB in the Hub cache, and " + repo_.cache() + " has room for " +
                                std::to_string(static_cast<uint64_t>(room / 1e6)) +
                                "; make room, or set HF_HUB_CACHE to a folder on another disk");
  }

  const RepoName& name_;
  const PullOptions& options_;
  RepoCache repo_;
  CacheWriter writer_;
  HubClient hub_;
  std::string commit_;
  RepoTree tree_;
  double done_ = 0, total_ = 0;
  uint64_t downloaded_ = 0;
  bool kept_ = false;  // the list of files was in the cache
  bool prepared_ = false;
};

}  // namespace

Pulled pull(const RepoName& name, const HubSettings& settings, const PullOptions& options) {
  if (settings.cache.empty())
    throw Error(Status::bad_argument,
                std::string("there is no place for the Hub cache: set HF_HUB_CACHE, HF_HOME or ") + os::kHomeVariable);
  return Puller(name, settings, options).run();
}

}  // namespace quern
