// One repository in the Hub cache, whose layout is huggingface_hub's: models--org--name/{refs/<revision>,
// snapshots/<commit>/<path> -> blobs/<etag>, trees/<commit>.json}. Reads only; pull/cache_writer writes.
#pragma once
#include <optional>
#include <string>

#include "hub/needed_files.h"
#include "hub/repo_name.h"
#include "hub/repo_tree.h"

namespace quern {

class RepoCache {
 public:
  // cache: its folder, which need not be there.
  RepoCache(std::string cache, const RepoName& name);

  const std::string& cache() const { return cache_; }
  const std::string& folder() const { return folder_; }
  std::string snapshot(const std::string& commit) const { return folder_ + "/snapshots/" + commit; }
  std::string tree_path(const std::string& commit) const { return folder_ + "/trees/" + commit + ".json"; }
  std::string blob(const std::string& etag) const { return folder_ + "/blobs/" + etag; }
  std::string locks() const { return cache_ + "/.locks" + folder_.substr(cache_.size()); }
  std::string ref_path(const std::string& revision) const { return folder_ + "/refs/" + revision; }

  // The commit that a revision was at when it was last asked for; a commit is itself. nullopt: unknown here.
  // Throws Error bad_file: the file of the revision holds something else.
  std::optional<std::string> commit_of(const std::string& revision) const;

  // Whether the snapshot has a file of this path and, where it is known, this size. Throws Error bad_file where it is a
  // symbolic link that leads out of the cache.
  bool has_file(const std::string& commit, const std::string& path, uint64_t size) const;

  struct Completeness {
    bool complete = false;
    bool listed = false;  // there is a list of the commit's files to hold it to; else it was judged by what is there
    std::string fault;    // why it is not: "… lacks config.json"; "" where it is
    NeededFiles needed;
  };
  // Whether the snapshot has all that the named model needs. Throws Error as needed_files() does where it is listed.
  Completeness check(const RepoName& name, const std::string& commit) const;

 private:
  RepoTree tree_of_snapshot(const std::string& commit) const;
  std::string cache_, folder_;
};

}  // namespace quern
