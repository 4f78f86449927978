// What of files only Linux has.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "os/files.h"

namespace os {
namespace {

std::string link_to(int file) {
  return "/proc/self/fd/" + std::to_string(file);
}

}  // namespace

bool sync_data(int file) noexcept {
  return ::fdatasync(file) == 0;
}

void begin_writing(int file, uint64_t offset, uint64_t size) noexcept {
  ::sync_file_range(file, static_cast<off_t>(offset), static_cast<off_t>(size), SYNC_FILE_RANGE_WRITE);
}

int open_unnamed(const std::string& folder, unsigned mode) noexcept {
  const int file = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
  if (file < 0 || ::access(link_to(file).c_str(), F_OK) == 0) return file;
  ::close(file);  // without /proc it could get no name
  errno = ENOTSUP;
  return -1;
}

bool give_name(int unnamed, const std::string& path) noexcept {
  return ::linkat(AT_FDCWD, link_to(unnamed).c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) == 0;
}

int open_passing(const std::string& folder, std::string& path) {
  int file = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file < 0) {  // the file system has none without a name
    std::string name = folder + "/quern.XXXXXX";
    file = ::mkostemp(name.data(), O_CLOEXEC);
    if (file >= 0) ::unlink(name.c_str());
  }
  path = link_to(file);
  return file;
}

void close_passing(int file, const std::string&) noexcept {
  ::close(file);
}

// NFS, SMB, CIFS, Lustre, GPFS, Ceph, AFS, 9P, and FUSE, behind which any of them may be.
bool is_shared(int file) noexcept {
  struct statfs info {};
  if (::fstatfs(file, &info) != 0) return true;
  constexpr unsigned long shared[] = {0x6969,     0x517B,     0xFF534D42, 0xFE534D42, 0x0BD00BD0,
                                      0x47504653, 0x00C36400, 0x5346414F, 0x01021997, 0x65735546};
  const auto type = static_cast<unsigned long>(info.f_type) & 0xFFFFFFFF;
  return std::find(std::begin(shared), std::end(shared), type) != std::end(shared);
}

}  // namespace os
