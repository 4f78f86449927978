#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <mutex>

#include "os/files.h"

namespace os {
namespace {

#if defined(__APPLE__)
const timespec& changed_of(const struct stat& s) {
  return s.st_mtimespec;
}
#else
const timespec& changed_of(const struct stat& s) {
  return s.st_mtim;
}
#endif

FileInfo info_from(const struct stat& s) {
  return {.regular = S_ISREG(s.st_mode),
          .folder = S_ISDIR(s.st_mode),
          .size = static_cast<uint64_t>(s.st_size),
          .changed = int64_t{changed_of(s).tv_sec} * 1'000'000'000 + changed_of(s).tv_nsec,
          .mode = s.st_mode & 0777U};
}

// f() until no signal interrupts it.
template <class F>
auto again(const F& f) {
  for (;;)
    if (const auto n = f(); n >= 0 || errno != EINTR) return n;
}

}  // namespace

std::filesystem::path path_of(std::string_view utf8) {
  return utf8;
}

std::string text_of(const std::filesystem::path& path) {
  return path.string();
}

size_t last_part(std::string_view path) noexcept {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? 0 : slash + 1;
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

bool ends_folder(char c) noexcept {
  return c == '/';
}

bool info_of(const std::string& path, FileInfo& info) noexcept {
  struct stat s {};
  if (::stat(path.c_str(), &s) != 0) return false;
  info = info_from(s);
  return true;
}

bool info_of(int file, FileInfo& info) noexcept {
  struct stat s {};
  if (::fstat(file, &s) != 0) return false;
  info = info_from(s);
  return true;
}

int open_file(const std::string& path, unsigned how, unsigned mode) noexcept {
  int flags = O_CLOEXEC;
  flags |= (how & (kRead | kWrite)) == (kRead | kWrite) ? O_RDWR : (how & kWrite) != 0 ? O_WRONLY : O_RDONLY;
  if ((how & kCreate) != 0) flags |= O_CREAT;
  if ((how & kNew) != 0) flags |= O_EXCL;
  if ((how & kAppend) != 0) flags |= O_APPEND;
  if ((how & kNoLink) != 0) flags |= O_NOFOLLOW;
  if ((how & kWithoutWait) != 0) flags |= O_NONBLOCK;
  return ::open(path.c_str(), flags, mode);
}

bool close_file(int file) noexcept {
  return ::close(file) == 0 || errno == EINTR;
}

std::FILE* open_stream(const std::string& path, const char* mode) noexcept {
  return std::fopen(path.c_str(), mode);
}

std::FILE* stream_of(int file, const char* mode) noexcept {
  return ::fdopen(file, mode);
}

int descriptor_of(std::FILE* stream) noexcept {
  return ::fileno(stream);
}

std::FILE* copy_of(int file) noexcept {
  const int copy = ::dup(file);
  std::FILE* const stream = copy < 0 ? nullptr : ::fdopen(copy, "rb");
  if (copy >= 0 && stream == nullptr) ::close(copy);
  return stream;
}

bool seek(std::FILE* stream, uint64_t offset) noexcept {
  return ::fseeko(stream, static_cast<off_t>(offset), SEEK_SET) == 0;
}

int64_t read_some(int file, void* to, size_t size) noexcept {
  return again([&] { return ::read(file, to, size); });
}

int64_t read_at(int file, void* to, size_t size, uint64_t offset) noexcept {
  return again([&] { return ::pread(file, to, size, static_cast<off_t>(offset)); });
}

int64_t write_some(int file, const void* from, size_t size) noexcept {
  return again([&] { return ::write(file, from, size); });
}

int64_t write_at(int file, const void* from, size_t size, uint64_t offset) noexcept {
  return again([&] { return ::pwrite(file, from, size, static_cast<off_t>(offset)); });
}

bool cut(int file, uint64_t size) noexcept {
  return ::ftruncate(file, static_cast<off_t>(size)) == 0;
}

bool sync(int file) noexcept {
  return ::fsync(file) == 0;
}

void sync_folder(const std::string& folder) noexcept {
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return;
  ::fsync(file);
  ::close(file);
}

void set_mode(int file, unsigned mode) noexcept {
  if (::fchmod(file, static_cast<mode_t>(mode)) != 0) errno = 0;  // what it has will do
}

unsigned mode_of_new_files() noexcept {
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return 0666U & ~static_cast<unsigned>(mask);
}

bool rename_file(const std::string& from, const std::string& to) noexcept {
  return ::rename(from.c_str(), to.c_str()) == 0;
}

bool remove_file(const std::string& path) noexcept {
  return ::unlink(path.c_str()) == 0;
}

bool make_link(const std::string& target, const std::string& path) noexcept {
  if (::symlink(target.c_str(), path.c_str()) == 0) return true;
  if (errno == EPERM || errno == ENOSYS) errno = ENOTSUP;
  return false;
}

bool exists(const std::string& path) noexcept {
  return ::access(path.c_str(), F_OK) == 0;
}

bool may_read(const std::string& path) noexcept {
  return ::access(path.c_str(), R_OK) == 0;
}

bool may_write(const std::string& path) noexcept {
  return ::access(path.c_str(), W_OK) == 0;
}

bool lock(int file) noexcept {
  return again([&] { return ::flock(file, LOCK_EX | LOCK_NB); }) == 0;
}

bool free_space(const std::string& folder, double& bytes) noexcept {
  struct statvfs disk {};
  if (::statvfs(folder.c_str(), &disk) != 0) return false;
  bytes = static_cast<double>(disk.f_bavail) * static_cast<double>(disk.f_frsize);
  return true;
}

bool is_full(int error) noexcept {
  return error == ENOSPC || error == EDQUOT;
}

bool is_denied(int error) noexcept {
  return error == EACCES || error == EPERM || error == EROFS;
}

bool is_special(const std::string& path) noexcept {
  return path.starts_with("/dev/") || path.starts_with("/proc/");
}

}  // namespace os
