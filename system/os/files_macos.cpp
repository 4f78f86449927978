// What of files macOS has in its own way.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/param.h>
#include <unistd.h>

#include "os/files.h"

namespace os {

bool sync_data(int file) noexcept {
  return ::fsync(file) == 0;
}

void begin_writing(int, uint64_t, uint64_t) noexcept {}

int open_unnamed(const std::string&, unsigned) noexcept {
  errno = ENOTSUP;
  return -1;
}

bool give_name(int, const std::string&) noexcept {
  errno = ENOTSUP;
  return false;
}

// A path of /dev/fd would share this descriptor's place in the file with who opens it.
int open_passing(const std::string& folder, std::string& path) {
  path = folder + "/quern.XXXXXX";
  const int file = ::mkstemp(path.data());
  if (file >= 0) ::fcntl(file, F_SETFD, FD_CLOEXEC);
  return file;
}

void close_passing(int file, const std::string& path) noexcept {
  ::close(file);
  ::unlink(path.c_str());
}

bool is_shared(int file) noexcept {
  struct statfs info {};
  return ::fstatfs(file, &info) != 0 || (info.f_flags & MNT_LOCAL) == 0;
}

}  // namespace os
