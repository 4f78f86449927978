// POSIX write, fsync and rename. Short writes are continued; every error becomes one Error with the final path.
#include "io/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <random>
#include <utility>

#include "ascii.h"
#include "error.h"

namespace quern {
namespace {

constexpr size_t buffer_bytes = 1 << 20;
constexpr size_t max_write = 1 << 30;  // some systems refuse or cut longer writes

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Makes the rename durable. Some file systems cannot sync a folder; the file itself is safe by then.
void sync_folder(const std::string& folder) noexcept {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

// A name beside the path that nobody else takes: a container's processes all have the same number.
std::string name_beside(const std::string& path) {
  timespec now = {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  uint64_t mixed = static_cast<uint64_t>(now.tv_nsec ^ (int64_t{::getpid()} << 32) ^ now.tv_sec);
  try {
    std::random_device random;
    mixed ^= uint64_t{random()} << 32 | random();
  } catch (const std::exception&) {  // no source of randomness: time and number have to do
  }
  unsigned char bytes[sizeof mixed];
  memcpy(bytes, &mixed, sizeof mixed);
  return path + '.' + hex_digits(bytes) + ".tmp";
}
std::string link_to(int descriptor) {
  return "/proc/self/fd/" + std::to_string(descriptor);
}
constexpr int max_names = 16;  // tried before it is an error that they are taken

// /dev/stdout and its kind may lead to a regular file, but no other file can take their place.
bool is_descriptor(const std::string& path) {
  return path.starts_with("/dev/") || path.starts_with("/proc/");
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(path) {
  if (path.empty() || path.find('\0') != std::string::npos) {
    throw Error(Status::bad_argument, "an output path is empty or has a NUL byte");
  }
  struct stat status = {};
  const bool exists = ::stat(path.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) throw Error(Status::bad_argument, path + ": a folder, not a file to write");
  if (exists && (!S_ISREG(status.st_mode) || is_descriptor(path))) {
    descriptor_ = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
    if (descriptor_ < 0) fail("cannot open for writing", errno);
    direct_ = true;
    return;
  }
  open_temporary(exists ? status.st_mode & 0777 : 0);
}

// mode: of the file that is replaced; 0: as new files have it.
void AtomicFile::open_temporary(unsigned mode) {
#ifdef O_TMPFILE
  descriptor_ = ::open(folder_of(path_).c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
  if (descriptor_ >= 0 && ::access(link_to(descriptor_).c_str(), F_OK) != 0)  // /proc is not there
    ::close(std::exchange(descriptor_, -1));
#endif
  for (int i = 0; i < max_names && descriptor_ < 0; ++i) {
    temporary_ = name_beside(path_);
    descriptor_ = ::open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && errno != EEXIST) break;
  }
  if (descriptor_ < 0) {
    const int error = errno;
    temporary_.clear();
    fail("cannot create a temporary file beside it", error);
  }
  if (mode != 0) ::fchmod(descriptor_, mode);
}

// A file without a name cannot take the place of one that is there: it gets another name first.
void AtomicFile::give_name() {
  const std::string here = link_to(descriptor_);
  for (int i = 0; i < max_names; ++i) {
    const std::string name = name_beside(path_);
    if (::linkat(AT_FDCWD, here.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0) {
      temporary_ = name;
      return;
    }
    if (errno != EEXIST) break;
  }
  fail("cannot give the finished file a name", errno);
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(other.path_),
      temporary_(std::exchange(other.temporary_, {})),
      direct_(other.direct_),
      buffer_(std::move(other.buffer_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      written_(other.written_) {}

AtomicFile::~AtomicFile() {
  discard();
}

void AtomicFile::discard() noexcept {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  temporary_.clear();
}

void AtomicFile::fail(const char* action, int error) const {
  const bool missing = error == ENOENT || error == ENOTDIR;
  throw Error(missing ? Status::not_found : Status::io, path_ + ": " + action + ": " + strerror(error));
}

void AtomicFile::write_out(const void* data, size_t size) {
  const char* bytes = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t n = ::write(descriptor_, bytes, size < max_write ? size : max_write);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail("cannot write", n < 0 ? errno : EIO);
    bytes += n;
    size -= static_cast<size_t>(n);
  }
}

void AtomicFile::flush() {
  write_out(buffer_.data(), buffer_.size());
  buffer_.clear();
}

void AtomicFile::write(const void* data, size_t size) {
  if (descriptor_ < 0) throw Error(Status::internal, path_ + ": written after it was closed");
  if (size == 0) return;
  if (buffer_.size() + size > buffer_bytes) flush();
  if (size >= buffer_bytes) {
    write_out(data, size);
  } else {
    buffer_.append(static_cast<const char*>(data), size);
  }
  written_ += size;
}

void AtomicFile::pwrite_at(uint64_t offset, const void* data, size_t size) {
  if (descriptor_ < 0) throw Error(Status::internal, path_ + ": written after it was closed");
  if (direct_) throw Error(Status::unsupported, path_ + ": no regular file, cannot go back in it");
  if (offset > written_ || size > written_ - offset) {
    throw Error(Status::internal, path_ + ": an overwrite reaches past the end");
  }
  flush();
  const char* bytes = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t n = ::pwrite(descriptor_, bytes, size < max_write ? size : max_write, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail("cannot write", n < 0 ? errno : EIO);
    bytes += n;
    offset += static_cast<uint64_t>(n);
    size -= static_cast<size_t>(n);
  }
}

void AtomicFile::commit() {
  if (descriptor_ < 0) throw Error(Status::internal, path_ + ": committed twice");
  flush();
  if (::fsync(descriptor_) != 0 && !direct_) fail("cannot write", errno);  // devices and pipes cannot sync
  if (!direct_ && temporary_.empty()) give_name();
  const int closed = ::close(std::exchange(descriptor_, -1));
  if (closed != 0 && errno != EINTR) fail("cannot write", errno);
  if (direct_) return;
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("cannot move the finished file into place", errno);
  temporary_.clear();
  sync_folder(folder_of(path_));
}

}  // namespace quern
