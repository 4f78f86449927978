// Read-only mapping and bounded reads.
#include "io/mapped_file.h"

#include <errno.h>
#include <string.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "error.h"
#include "os/files.h"
#include "os/memory.h"

namespace quern {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) os::close_file(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

[[noreturn]] void fail(const std::string& path, const char* action, int error) {
  const bool missing = error == ENOENT || error == ENOTDIR;
  throw Error(missing ? Status::not_found : Status::io, path + ": " + action + ": " + strerror(error));
}

int open_for_reading(const std::string& path, unsigned how) {
  if (path.find('\0') != std::string::npos) throw Error(Status::bad_argument, "a path with a NUL byte");
  const int fd = os::open_file(path, os::kRead | how);
  if (fd < 0) fail(path, "cannot open", errno);
  return fd;
}

// What Git leaves in a large file's place where LFS is not installed, instead of a complaint about its bytes.
void refuse_pointer(const std::string& path, std::string_view bytes) {
  if (bytes.size() < 1024 && bytes.starts_with("version https://git-lfs.github.com/spec/"))
    throw Error(Status::bad_file,
                path +
                    ": is a Git LFS pointer, not the file itself: fetch it with `git lfs pull` in the "
                    "folder that it was cloned to, or download it anew");
}

}  // namespace

MappedFile MappedFile::open(const std::string& path) {
  const Descriptor file(open_for_reading(path, os::kWithoutWait));  // a FIFO would wait for a writer otherwise
  os::FileInfo info;
  if (!os::info_of(file.get(), info)) fail(path, "cannot stat", errno);
  if (info.folder) throw Error(Status::bad_argument, path + ": a file was expected, this is a folder");
  if (!info.regular) throw Error(Status::bad_argument, path + ": a regular file was expected");
  MappedFile mapped;
  mapped.path_ = path;
  if (info.size == 0) return mapped;
  const void* const data = os::map_file(file.get(), static_cast<size_t>(info.size));
  if (data == nullptr) fail(path, "cannot map", errno);
  mapped.data_ = static_cast<const std::byte*>(data);
  mapped.size_ = static_cast<size_t>(info.size);
  refuse_pointer(path, {reinterpret_cast<const char*>(mapped.data_), mapped.size_});
  return mapped;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)), data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  if (this == &other) return *this;
  close();
  path_ = std::move(other.path_);
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

MappedFile::~MappedFile() {
  close();
}

void MappedFile::close() noexcept {
  if (data_ != nullptr) os::unmap_file(data_, size_);
  data_ = nullptr;
  size_ = 0;
}

void MappedFile::will_need(size_t offset, size_t length) const noexcept {
  advise(offset, length, false);
}

void MappedFile::dont_need(size_t offset, size_t length) const noexcept {
  advise(offset, length, true);
}

void MappedFile::advise(size_t offset, size_t length, bool gives_back) const noexcept {
  if (offset >= size_ || length == 0) return;
  const size_t page = os::page_bytes();
  size_t end = offset + std::min(length, size_ - offset);
  size_t begin = offset / page * page;
  if (gives_back) {  // whole pages only: the neighbours may still be in use
    begin = (offset + page - 1) / page * page;
    if (end != size_) end = end / page * page;
    if (begin >= end) return;
  }
  (gives_back ? os::dont_need : os::will_need)(data_ + begin, end - begin);
}

std::string read_text_file(const std::string& path, size_t max_bytes) {
  const Descriptor file(open_for_reading(path, 0));
  os::FileInfo info;
  if (!os::info_of(file.get(), info)) fail(path, "cannot stat", errno);
  if (info.folder) throw Error(Status::bad_argument, path + ": a file was expected, this is a folder");
  const auto check = [&](size_t size) {
    if (size <= max_bytes) return;
    throw Error(Status::bad_file, path + ": longer than the " + std::to_string(max_bytes) + " bytes allowed");
  };
  const size_t known = info.regular ? static_cast<size_t>(info.size) : 0;  // 0 for pipes and /proc
  check(known);
  std::string text(known + 1, '\0');  // one more, so that the read that finds the end needs no growth
  size_t used = 0;
  for (;;) {
    if (used == text.size()) text.resize(std::max<size_t>(4096, used * 2));
    const int64_t n = os::read_some(file.get(), text.data() + used, text.size() - used);
    if (n < 0) fail(path, "cannot read", errno);
    if (n == 0) break;
    used += static_cast<size_t>(n);
    check(used);
  }
  text.resize(used);
  refuse_pointer(path, text);
  return text;
}

std::string read_model_text(const std::string& path, size_t max_bytes) {
  os::FileInfo info;
  if (os::info_of(path, info) && !info.regular && !info.folder)
    throw Error(Status::bad_argument, path + ": a regular file was expected, this is a pipe or a device");
  return read_text_file(path, max_bytes);
}

bool is_regular_file(const std::string& path) noexcept {
  os::FileInfo info;
  return os::info_of(path, info) && info.regular;
}

bool is_folder(const std::string& path) noexcept {
  os::FileInfo info;
  return os::info_of(path, info) && info.folder;
}

}  // namespace quern
