#include "pull/blob_download.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <random>

#include "error.h"
#include "os/files.h"
#include "pull/checked_file.h"

namespace quern {
namespace {

// A descriptor before what is made of it: closed last.
class OpenFile {
 public:
  explicit OpenFile(const std::string& path)
      : descriptor_(os::open_file(path, os::kRead | os::kWrite | os::kCreate | os::kNoLink)) {
    if (descriptor_ < 0) throw Error(Status::io, path + ": cannot be opened: " + ::strerror(errno));
  }
  ~OpenFile() { os::close_file(descriptor_); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int get() const { return descriptor_; }

 private:
  const int descriptor_;
};

// blobs/<etag>.quern.incomplete. It stays, if it is to be kept, unless discard() or finish() is called.
class PartialBlob final : OpenFile, public CheckedFile {
 public:
  PartialBlob(const std::string& path, const TreeFile& file, bool keep)
      : OpenFile(path),
        CheckedFile(get(), path, "make room, or set HF_HUB_CACHE to a folder on another disk", file),
        path_(path),
        keep_(keep) {}
  PartialBlob(const PartialBlob&) = delete;
  PartialBlob& operator=(const PartialBlob&) = delete;
  ~PartialBlob() override {
    if (!finished_ && !keep_) discard();
    try {
      write_out();  // for the next try
    } catch (const Error&) {
    }
  }

  void discard() noexcept { os::remove_file(path_); }

  void finish(const std::string& name) {
    sync();
    if (!os::rename_file(path_, name)) fail("cannot be renamed to its blob", errno);
    finished_ = true;
  }

 private:
  void on_full() noexcept override { discard(); }  // gives the disk its room back

  const std::string path_;
  const bool keep_;  // what came, where it is not finished
  bool finished_ = false;
};

// As huggingface_hub names its own: 8 hex digits.
std::string own_ending() {
  char digits[16];
  std::snprintf(digits, sizeof digits, "%08x", std::random_device()());
  return std::string(".") + digits + ".incomplete";
}

bool is_whole_blob(const std::string& path, uint64_t size) {
  os::FileInfo info;
  return os::info_of(path, info) && info.regular && info.size == size;
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
  try {
    download_checked(hub, commit, path, file, partial);
  } catch (const Error& e) {
    if (e.status == Status::bad_file) partial.discard();
    throw;
  }
  partial.finish(blob);
  return true;
}

}  // namespace quern
