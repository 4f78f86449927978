#include "pull/blob_download.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <vector>

#include "error.h"
#include "net/digest.h"

namespace quern {
namespace {

constexpr size_t read_bytes = 1 << 20, gathered_bytes = 256 << 10;
constexpr uint64_t flush_bytes = 32 << 20;  // begun to be written to the disk at a time, so that the end waits less

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

// blobs/<etag>.quern.incomplete with the digest of what is in it. It stays, if it is to be kept, unless discard() or
// finish() is called.
class PartialBlob final : public FileSink {
 public:
  PartialBlob(std::string path, const TreeFile& file, bool keep) : path_(std::move(path)), file_(file), keep_(keep) {
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (descriptor_ < 0) fail("cannot be opened", errno);
    begin_digest();
  }
  PartialBlob(const PartialBlob&) = delete;
  PartialBlob& operator=(const PartialBlob&) = delete;
  ~PartialBlob() override {
    if (!finished_ && !keep_) discard();
    try {
      write_out();  // for the next try
    } catch (const Error&) {
    }
    ::close(descriptor_);
  }

  // Takes over what an earlier try has left. go_on(bytes read): false ends it.
  bool resume(const std::function<bool(uint64_t)>& go_on) {
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

  uint64_t position() const override { return position_; }
  bool resumed() const { return resumed_; }

  void restart() override {
    if (::ftruncate(descriptor_, 0) != 0) fail("cannot be emptied", errno);
    gathered_.clear();
    position_ = flushed_ = 0;
    resumed_ = false;
    begin_digest();
  }

  // Gathered: libcurl hands out 16 KiB at a time, and pages that are written in parts cost twice.
  void write(const char* data, size_t size) override {
    while (size > 0) {
      const size_t n = std::min(size, gathered_bytes - gathered_.size());
      gathered_.append(data, n);
      position_ += n;
      data += n;
      size -= n;
      if (gathered_.size() == gathered_bytes) write_out();
    }
  }

  // Of all that came.
  std::string digest() {
    write_out();
    return digest_->hex();
  }
  void discard() noexcept { ::unlink(path_.c_str()); }

  void finish(const std::string& name) {
    if (sync_data(descriptor_) != 0 && errno != EINVAL && errno != ENOSYS) fail("cannot be written", errno);
    if (::rename(path_.c_str(), name.c_str()) != 0) fail("cannot be renamed to its blob", errno);
    finished_ = true;
  }

 private:
  void write_out() {
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
        if (error == ENOSPC || error == EDQUOT) discard();  // gives the disk its room back
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
  void begin_digest() {
    digest_ = make_digest(file_.sha256.empty() ? DigestKind::sha1 : DigestKind::sha256);
    if (!file_.sha256.empty()) return;
    const std::string head = "blob " + std::to_string(file_.size);  // Git's object
    digest_->update(head.c_str(), head.size() + 1);
  }
  [[noreturn]] void fail(const char* action, int error) const {
    throw Error(Status::io, path_ + ": " + action + ": " + ::strerror(error) +
                                (error == ENOSPC || error == EDQUOT || error == EFBIG
                                     ? "; make room, or set HF_HUB_CACHE to a folder on another disk"
                                     : ""));
  }

  std::string path_;
  const TreeFile& file_;
  int descriptor_ = -1;
  uint64_t position_ = 0, flushed_ = 0;
  std::string gathered_;  // the last of what came
  bool resumed_ = false;
  const bool keep_;  // what came, where it is not finished
  bool finished_ = false;
  std::unique_ptr<Digest> digest_;
};

// As huggingface_hub names its own: 8 hex digits.
std::string own_ending() {
  char digits[16];
  std::snprintf(digits, sizeof digits, "%08x", std::random_device()());
  return std::string(".") + digits + ".incomplete";
}

bool is_whole_blob(const std::string& path, uint64_t size) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && static_cast<uint64_t>(info.st_size) == size;
}

}  // namespace

bool download_blob(HubClient& hub, const RepoCache& repo, const CacheWriter& writer, const std::string& commit,
                   const std::string& path, const TreeFile& file) {
  const std::string blob = repo.blob(file.etag());
  const FileLock lock(writer.lock_path(file.etag()), [&] {
    return hub.say({PullProgress::Phase::waiting, "another process downloads " + path, 0, 0});
  });
  if (is_whole_blob(blob, file.size)) return false;
  // One name for all processes that a lock keeps apart; else one for each, which is not resumed.
  PartialBlob partial(blob + (lock.trusted() ? ".quern.incomplete" : own_ending()), file, lock.trusted());
  const bool going = partial.resume([&](uint64_t done) {
    return hub.say({PullProgress::Phase::checking, path, static_cast<double>(done), static_cast<double>(file.size)});
  });
  if (!going) HubClient::throw_cancelled();
  for (;;) {
    const bool resumed = partial.resumed();
    try {
      if (partial.position() < file.size) hub.download(commit, path, file.size, partial);
    } catch (const Error& e) {
      if (e.status == Status::bad_file) partial.discard();
      throw;
    }
    const std::string found = partial.digest();
    if (found == file.etag()) break;
    if (resumed) {  // what was left of an earlier try may have been wrong, or another's
      partial.restart();
      continue;
    }
    partial.discard();
    throw Error(Status::bad_file, path + ": expected " + (file.sha256.empty() ? "git's SHA-1 " : "SHA-256 ") +
                                      file.etag() + ", found " + found +
                                      ": the download is damaged or not what the Hub lists; nothing of it is kept");
  }
  partial.finish(blob);
  return true;
}

}  // namespace quern
