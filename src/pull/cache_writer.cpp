#include "pull/cache_writer.h"

#include <errno.h>
#include <string.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "error.h"
#include "io/atomic_file.h"
#include "io/mapped_file.h"
#include "os/files.h"
#include "os/process.h"

namespace quern {
namespace {

namespace fs = std::filesystem;

constexpr const char* cache_advice = "; set HF_HUB_CACHE or HF_HOME to a folder that you may write to";
constexpr const char* cache_tag =
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This folder is a cache: backups may leave it out. See https://bford.info/cachedir/\n";

std::string parent_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

[[noreturn]] void fail_io(const std::string& path, const char* action, int error) {
  throw Error(Status::io, path + ": " + action + ": " + ::strerror(error) + (os::is_denied(error) ? cache_advice : ""));
}

void write_whole(const std::string& path, const std::string& text) {
  make_folders(parent_of(path), cache_advice);
  AtomicFile file(path);
  file.write(text.data(), text.size());
  file.commit();
}

bool same_text(const std::string& path, const std::string& text) {
  try {
    return is_regular_file(path) && read_text_file(path, 4096) == text;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

FileLock::FileLock(const std::string& path, const std::function<bool()>& go_on) {
  std::error_code ignored;
  fs::create_directories(os::path_of(parent_of(path)), ignored);
  descriptor_ = os::open_file(path, os::kRead | os::kWrite | os::kCreate | os::kNoLink, 0664);
  if (descriptor_ < 0) return;
  os::set_mode(descriptor_, 0664);  // others of the group use the cache too, whatever the umask
  while (!os::lock(descriptor_)) {
    if (errno != EWOULDBLOCK) return;  // ENOSYS and its kind: go on without
    if (go_on && !go_on()) {
      os::close_file(descriptor_);
      throw Error(Status::cancelled, "cancelled while waiting for another process (" + path + ")");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  trusted_ = !os::is_shared(descriptor_);
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) os::close_file(descriptor_);  // the file stays: to remove it would let two hold it
}

bool FileLock::is_free(const std::string& path) noexcept {
  const int descriptor = os::open_file(path, os::kRead | os::kWrite | os::kNoLink);
  if (descriptor < 0) return true;
  const bool free = os::lock(descriptor) || errno != EWOULDBLOCK;
  os::close_file(descriptor);
  return free;
}

void make_folders(const std::string& folder, const std::string& advice) {
  std::error_code error;
  fs::create_directories(os::path_of(folder), error);
  if (!error && is_folder(folder)) return;
  throw Error(Status::io,
              folder + ": cannot be made: " + (error ? error.message() : "a file is in its place") + advice);
}

void CacheWriter::prepare() const {
  make_folders(repo_.folder() + "/blobs", cache_advice);
  if (!os::may_write(repo_.folder() + "/blobs")) fail_io(repo_.folder() + "/blobs", "cannot be written to", errno);
  const std::string tag = repo_.cache() + "/CACHEDIR.TAG";
  if (os::exists(tag)) return;
  try {
    write_whole(tag, cache_tag);
  } catch (const Error&) {  // the folder above may be another's
  }
}

std::string CacheWriter::lock_path(const std::string& etag) const {
  return repo_.locks() + '/' + etag + ".lock";
}

void CacheWriter::place(const std::string& commit, const std::string& path, const std::string& etag, bool fresh) const {
  const std::string root = repo_.snapshot(commit), file = root + '/' + path;
  make_folders(parent_of(file), cache_advice);
  std::error_code error;
  const fs::path real_root = fs::canonical(os::path_of(root), error),
                 real = fs::canonical(os::path_of(parent_of(file)), error);
  const fs::path below = os::path_of(path).parent_path();
  if (error || real != (below.empty() ? real_root : real_root / below))
    throw Error(Status::bad_file, parent_of(file) + ": leads out of its snapshot, to " + os::text_of(real) +
                                      "; remove it, and pull again");
  std::string target = "../../blobs/" + etag;
  for (const char c : path)
    if (c == '/') target = "../" + target;
  if (symlinks_) {
    const std::string temporary = file + '.' + std::to_string(os::process_id()) + ".quern.tmp";
    os::remove_file(temporary);
    if (os::make_link(target, temporary)) {
      if (os::rename_file(temporary, file)) return;
      const int reason = errno;
      os::remove_file(temporary);
      fail_io(file, "cannot be made", reason);
    }
    if (errno != ENOTSUP) fail_io(file, "cannot be made", errno);
  }
  // No links here: the bytes themselves lie in the snapshot, as huggingface_hub has them then.
  if (fresh && os::rename_file(repo_.blob(etag), file)) return;
  fs::copy_file(os::path_of(repo_.blob(etag)), os::path_of(file), fs::copy_options::overwrite_existing, error);
  if (error) throw Error(Status::io, file + ": cannot be made: " + error.message());
}

void CacheWriter::write_ref(const std::string& revision, const std::string& commit) const {
  if (is_commit(revision) || same_text(repo_.ref_path(revision), commit)) return;
  write_whole(repo_.ref_path(revision), commit);
}

void CacheWriter::write_tree(const std::string& commit, const RepoTree& tree) const {
  for (const auto& [path, file] : tree)
    if (file.etag().empty() || file.size == TreeFile::unknown_size) return;  // no list to hold a snapshot to
  try {
    write_whole(repo_.tree_path(commit), tree_json(tree));
  } catch (const Error&) {  // it is asked for again
  }
}

}  // namespace quern
