#include "pull/checked_file.h"

#include <errno.h>
#include <string.h>

#include <algorithm>
#include <vector>

#include "error.h"
#include "os/files.h"

namespace quern {
namespace {

constexpr size_t read_bytes = 1 << 20, gathered_bytes = 256 << 10;
constexpr uint64_t flush_bytes = 32 << 20;  // begun to be written to the disk at a time, so that the end waits less

}  // namespace

CheckedFile::CheckedFile(int descriptor, std::string name, std::string room, const TreeFile& file)
    : descriptor_(descriptor), name_(std::move(name)), room_(std::move(room)), file_(file) {
  begin_digest();
}

bool CheckedFile::resume(const std::function<bool(uint64_t)>& go_on) {
  os::FileInfo info;
  if (!os::info_of(descriptor_, info) || info.size > file_.size) {
    restart();
    return true;
  }
  std::vector<char> buffer(read_bytes);
  while (position_ < info.size) {
    const int64_t n = os::read_at(descriptor_, buffer.data(), buffer.size(), position_);
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
  if (!os::cut(descriptor_, 0)) fail("cannot be emptied", errno);
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
  if (!os::sync_data(descriptor_) && errno != EINVAL && errno != ENOSYS) fail("cannot be written", errno);
}

void CheckedFile::write_out() {
  const char* data = gathered_.data();
  size_t size = gathered_.size();
  uint64_t at = position_ - size;
  digest_->update(data, size);
  while (size > 0) {
    const int64_t n = os::write_at(descriptor_, data, size, at);
    if (n <= 0) {
      const int error = n < 0 ? errno : ENOSPC;
      gathered_.clear();
      if (os::is_full(error)) on_full();
      fail("cannot be written", error);
    }
    data += n;
    size -= static_cast<size_t>(n);
    at += static_cast<uint64_t>(n);
  }
  gathered_.clear();
  if (position_ - flushed_ < flush_bytes) return;
  os::begin_writing(descriptor_, flushed_, position_ - flushed_);
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
                              (os::is_full(error) || error == EFBIG ? "; " + room_ : ""));
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
