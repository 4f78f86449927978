#include "pull/cache_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#if defined(__APPLE__)
#include <sys/mount.h>
#else
#include <sys/vfs.h>
#endif
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "error.h"
#include "io/atomic_file.h"
#include "io/mapped_file.h"

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

// NFS, SMB, CIFS, Lustre, GPFS, Ceph, AFS, 9P, and FUSE, behind which any of them may be.
bool is_shared(int descriptor) {
  struct statfs info {};
  if (::fstatfs(descriptor, &info) != 0) return true;
#if defined(__APPLE__)
  return (info.f_flags & MNT_LOCAL) == 0;
#else
  constexpr unsigned long shared[] = {0x6969,     0x517B,     0xFF534D42, 0xFE534D42, 0x0BD00BD0,
                                      0x47504653, 0x00C36400, 0x5346414F, 0x01021997, 0x65735546};
  const auto type = static_cast<unsigned long>(info.f_type) & 0xFFFFFFFF;
  return std::find(std::begin(shared), std::end(shared), type) != std::end(shared);
#endif
}

[[noreturn]] void fail_io(const std::string& path, const char* action, int error) {
  throw Error(Status::io, path + ": " + action + ": " + ::strerror(error) +
                              (error == EACCES || error == EPERM || error == EROFS ? cache_advice : ""));
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
  fs::create_directories(parent_of(path), ignored);
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0664);
  if (descriptor_ < 0) return;
  ::fchmod(descriptor_, 0664);  // others of the group use the cache too, whatever the umask
  while (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return;  // ENOSYS and its kind: go on without
    if (go_on && !go_on()) {
      ::close(descriptor_);
      throw Error(Status::cancelled, "cancelled while waiting for another process (" + path + ")");
    }
    const timespec pause{0, 50'000'000};
    ::nanosleep(&pause, nullptr);
  }
  trusted_ = !is_shared(descriptor_);
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);  // the file stays: to remove it would let two hold it
}

bool FileLock::is_free(const std::string& path) noexcept {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor < 0) return true;
  const bool free = ::flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
  ::close(descriptor);
  return free;
}

void make_folders(const std::string& folder, const std::string& advice) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error && is_folder(folder)) return;
  throw Error(Status::io,
              folder + ": cannot be made: " + (error ? error.message() : "a file is in its place") + advice);
}

void CacheWriter::prepare() const {
  make_folders(repo_.folder() + "/blobs", cache_advice);
  if (::access((repo_.folder() + "/blobs").c_str(), W_OK) != 0)
    fail_io(repo_.folder() + "/blobs", "cannot be written to", errno);
  const std::string tag = repo_.cache() + "/CACHEDIR.TAG";
  if (::access(tag.c_str(), F_OK) == 0) return;
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
  const fs::path real_root = fs::canonical(root, error), real = fs::canonical(parent_of(file), error);
  const fs::path below = fs::path(path).parent_path();
  if (error || real != (below.empty() ? real_root : real_root / below))
    throw Error(Status::bad_file,
                parent_of(file) + ": leads out of its snapshot, to " + real.string() + "; remove it, and pull again");
  std::string target = "../../blobs/" + etag;
  for (const char c : path)
    if (c == '/') target = "../" + target;
  if (symlinks_) {
    const std::string temporary = file + '.' + std::to_string(::getpid()) + ".quern.tmp";
    ::unlink(temporary.c_str());
    if (::symlink(target.c_str(), temporary.c_str()) == 0) {
      if (::rename(temporary.c_str(), file.c_str()) == 0) return;
      const int reason = errno;
      ::unlink(temporary.c_str());
      fail_io(file, "cannot be made", reason);
    }
    if (errno != EPERM && errno != ENOTSUP && errno != ENOSYS) fail_io(file, "cannot be made", errno);
  }
  // No links here: the bytes themselves lie in the snapshot, as huggingface_hub has them then.
  if (fresh && ::rename(repo_.blob(etag).c_str(), file.c_str()) == 0) return;
  fs::copy_file(repo_.blob(etag), file, fs::copy_options::overwrite_existing, error);
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
