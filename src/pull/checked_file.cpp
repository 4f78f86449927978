#include "pull/checked_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "error.h"

namespace quern {
namespace {

constexpr size_t read_bytes = 1 << 20, gathered_bytes = 256 << 10;
constexpr uint64_t flush_bytes = 32 << 20;  // begun to be written to the disk at a time, so that the end waits less

bool is_full(int error) {
  return error == ENOSPC || error == EDQUOT;
}

#if defined(__APPLE__)
int sync_data(int descriptor) {
  return ::fsync(descriptor);
}
void begin_writing(int, uint64_t, uint64_t) {}
#else
int sync_data(int descriptor) {
  return ::fdatasync(descriptor);
}
void begin_writing(int descriptor, uint64_t from, uint64_t bytes) {
  ::sync_file_range(descriptor, static_cast<off_t>(from), static_cast<off_t>(bytes), SYNC_FILE_RANGE_WRITE);
}
#endif

}  // namespace

CheckedFile::CheckedFile(int descriptor, std::string name, std::string room, const TreeFile& file)
    : descriptor_(descriptor), name_(std::move(name)), room_(std::move(room)), file_(file) {
  begin_digest();
}

bool CheckedFile::resume(const std::function<bool(uint64_t)>& go_on) {
  struct stat info {};
  if (::fstat(descriptor_, &info) != 0 || static_cast<uint64_t>(info.st_size) > file_.size) {
    restart();
    return true;
  }
  const auto size = static_cast<uint64_t>(info.st_size);
  std::vector<char> buffer(read_bytes);
  while (position_ < size) {
    const ssize_t n = ::pread(descriptor_, buffer.data(), buffer.size(), static_cast<off_t>(position_));
    if (n < 0) fail("cannot be read", errno);
    if (n == 0) break;
    digest_->update(buffer.data(), static_cast<size_t>(n));
    position_ += static_cast<uint64_t>(n);
    if (!go_on(position_)) return false;
  }
  resumed_ = position_ > 0;
  return true;
}

void CheckedFile::restart() {
  if (::ftruncate(descriptor_, 0) != 0) fail("cannot be emptied", errno);
  gathered_.clear();
  position_ = flushed_ = 0;
  resumed_ = false;
  begin_digest();
}

// Gathered: libcurl hands out 16 KiB at a time, and pages that are written in parts cost twice.
void CheckedFile::write(const char* data, size_t size) {
  while (size > 0) {
    const size_t n = std::min(size, gathered_bytes - gathered_.size());
    gathered_.append(data, n);
    position_ += n;
    data += n;
    size -= n;
    if (gathered_.size() == gathered_bytes) write_out();
  }
}

std::string CheckedFile::digest() {
  write_out();
  return digest_->hex();
}

void CheckedFile::sync() {
  if (sync_data(descriptor_) != 0 && errno != EINVAL && errno != ENOSYS) fail("cannot be written", errno);
}

void CheckedFile::write_out() {
  const char* data = gathered_.data();
  size_t size = gathered_.size();
  uint64_t at = position_ - size;
  digest_->update(data, size);
  while (size > 0) {
    const ssize_t n = ::pwrite(descriptor_, data, size, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      const int error = n < 0 ? errno : ENOSPC;
      gathered_.clear();
      if (is_full(error)) on_full();
      fail("cannot be written", error);
    }
    data += n;
    size -= static_cast<size_t>(n);
    at += static_cast<uint64_t>(n);
  }
  gathered_.clear();
  if (position_ - flushed_ < flush_bytes) return;
  begin_writing(descriptor_, flushed_, position_ - flushed_);
  flushed_ = position_;
}

void CheckedFile::begin_digest() {
  digest_ = make_digest(file_.sha256.empty() ? DigestKind::sha1 : DigestKind::sha256);
  if (!file_.sha256.empty()) return;
  const std::string head = "blob " + std::to_string(file_.size);  // Git's object
  digest_->update(head.c_str(), head.size() + 1);
}

void CheckedFile::fail(const char* action, int error) const {
  throw Error(Status::io, name_ + ": " + action + ": " + ::strerror(error) +
                              (is_full(error) || error == EFBIG ? "; " + room_ : ""));
}

void download_checked(HubClient& hub, const std::string& commit, const std::string& path, const TreeFile& file,
                      CheckedFile& to) {
  for (;;) {
    const bool resumed = to.resumed();
    if (to.position() < file.size) hub.download(commit, path, file.size, to);
    const std::string found = to.digest();
    if (found == file.etag()) return;
    if (!resumed)
      throw Error(Status::bad_file, hub.name().text() + ": " + path + ": expected " +
                                        (file.sha256.empty() ? "git's SHA-1 " : "SHA-256 ") + file.etag() + ", found " +
                                        found +
                                        ": the download is damaged or not what the Hub lists; nothing of it is kept");
    to.restart();  // what was left of an earlier try may have been wrong, or another's
  }
}

}  // namespace quern
