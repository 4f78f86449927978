// Write, sync and rename. Short writes are continued; every error becomes one Error with the final path.
#include "io/atomic_file.h"

#include <errno.h>
#include <string.h>

#include <chrono>
#include <random>
#include <utility>

#include "ascii.h"
#include "error.h"
#include "os/files.h"
#include "os/process.h"

namespace quern {
namespace {

constexpr size_t buffer_bytes = 1 << 20;
constexpr size_t max_write = 1 << 30;  // some systems refuse or cut longer writes

// A name beside the path that nobody else takes: a container's processes all have the same number.
std::string name_beside(const std::string& path) {
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  uint64_t mixed = static_cast<uint64_t>(now) ^ os::process_id() << 32;
  try {
    std::random_device random;
    mixed ^= uint64_t{random()} << 32 | random();
  } catch (const std::exception&) {  // no source of randomness: time and number have to do
  }
  unsigned char bytes[sizeof mixed];
  memcpy(bytes, &mixed, sizeof mixed);
  return path + '.' + hex_digits(bytes) + ".tmp";
}
constexpr int max_names = 16;  // tried before it is an error that they are taken

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(path) {
  if (path.empty() || path.find('\0') != std::string::npos) {
    throw Error(Status::bad_argument, "an output path is empty or has a NUL byte");
  }
  os::FileInfo info;
  const bool exists = os::info_of(path, info);
  if (exists && info.folder) throw Error(Status::bad_argument, path + ": a folder, not a file to write");
  if (exists && (!info.regular || os::is_special(path))) {
    descriptor_ = os::open_file(path, os::kWrite | os::kAppend);
    if (descriptor_ < 0) fail("cannot open for writing", errno);
    direct_ = true;
    return;
  }
  open_temporary(exists ? info.mode : 0);
}

// mode: of the file that is replaced; 0: as new files have it.
void AtomicFile::open_temporary(unsigned mode) {
  descriptor_ = os::open_unnamed(os::folder_of(path_), 0666);
  for (int i = 0; i < max_names && descriptor_ < 0; ++i) {
    temporary_ = name_beside(path_);
    descriptor_ = os::open_file(temporary_, os::kRead | os::kWrite | os::kCreate | os::kNew);
    if (descriptor_ < 0 && errno != EEXIST) break;
  }
  if (descriptor_ < 0) {
    const int error = errno;
    temporary_.clear();
    fail("cannot create a temporary file beside it", error);
  }
  if (mode != 0) os::set_mode(descriptor_, mode);
}

// A file without a name cannot take the place of one that is there: it gets another name first.
void AtomicFile::give_name() {
  for (int i = 0; i < max_names; ++i) {
    const std::string name = name_beside(path_);
    if (os::give_name(descriptor_, name)) {
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
  if (descriptor_ >= 0) os::close_file(descriptor_);
  descriptor_ = -1;
  if (!temporary_.empty()) os::remove_file(temporary_);
  temporary_.clear();
}

void AtomicFile::fail(const char* action, int error) const {
  const bool missing = error == ENOENT || error == ENOTDIR;
  throw Error(missing ? Status::not_found : Status::io, path_ + ": " + action + ": " + strerror(error));
}

void AtomicFile::write_out(const void* data, size_t size) {
  const char* bytes = static_cast<const char*>(data);
  while (size > 0) {
    const int64_t n = os::write_some(descriptor_, bytes, size < max_write ? size : max_write);
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
    const int64_t n = os::write_at(descriptor_, bytes, size < max_write ? size : max_write, offset);
    if (n <= 0) fail("cannot write", n < 0 ? errno : EIO);
    bytes += n;
    offset += static_cast<uint64_t>(n);
    size -= static_cast<size_t>(n);
  }
}

void AtomicFile::commit() {
  if (descriptor_ < 0) throw Error(Status::internal, path_ + ": committed twice");
  flush();
  if (!os::sync(descriptor_) && !direct_) fail("cannot write", errno);  // devices and pipes cannot sync
  if (!direct_ && temporary_.empty()) give_name();
  if (!os::close_file(std::exchange(descriptor_, -1))) fail("cannot write", errno);
  if (direct_) return;
  if (!os::rename_file(temporary_, path_)) fail("cannot move the finished file into place", errno);
  temporary_.clear();
  os::sync_folder(os::folder_of(path_));
}

}  // namespace quern
