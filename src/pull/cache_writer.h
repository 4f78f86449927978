// Writing into the Hub cache as huggingface_hub does, so that each reads what the other wrote: locks, blobs, snapshots
// of relative symbolic links, refs, lists of files.
#pragma once
#include <functional>
#include <string>

#include "hub/repo_cache.h"

namespace quern {

// An exclusive lock of a file, held while this lives. Where the file system has no locks or the file cannot be made, it
// holds nothing: what is written is right all the same, since files get their names when they are whole.
class FileLock {
 public:
  // go_on: asked about twenty times a second while another process has it; false throws Error cancelled.
  FileLock(const std::string& path, const std::function<bool()>& go_on);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  // Whether it keeps all others out: not where it holds nothing, and not on file systems that many machines share, some
  // of which let everybody have a lock.
  bool trusted() const noexcept { return trusted_; }

  // Whether nobody holds it now.
  static bool is_free(const std::string& path) noexcept;

 private:
  int descriptor_ = -1;
  bool trusted_ = false;
};

// Makes the folder and those above it. Throws Error io: says which and what to set.
void make_folders(const std::string& folder, const std::string& advice);

class CacheWriter {
 public:
  CacheWriter(const RepoCache& repo, bool symlinks) : repo_(repo), symlinks_(symlinks) {}

  // What has to be there before anything is written. Throws Error io.
  void prepare() const;
  std::string lock_path(const std::string& etag) const;
  // Gives the snapshot a file of this path with the bytes of blobs/<etag>; fresh: no other snapshot has them. Throws
  // Error io, bad_file (a folder of the snapshot leads out of it).
  void place(const std::string& commit, const std::string& path, const std::string& etag, bool fresh) const;
  void write_ref(const std::string& revision, const std::string& commit) const;
  void write_tree(const std::string& commit, const RepoTree& tree) const;  // best effort

 private:
  const RepoCache& repo_;
  bool symlinks_;
};

}  // namespace quern
