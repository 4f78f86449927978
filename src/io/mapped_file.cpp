// Read-only mmap and bounded reads. POSIX only.
#include "io/mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "error.h"

namespace quern {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

[[noreturn]] void fail(const std::string& path, const char* action, int error) {
  const bool missing = error == ENOENT || error == ENOTDIR;
  throw Error(missing ? Status::not_found : Status::io, path + ": " + action + ": " + strerror(error));
}

int open_for_reading(const std::string& path, int flags) {
  if (path.find('\0') != std::string::npos) throw Error(Status::bad_argument, "a path with a NUL byte");
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags);
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
  const Descriptor file(open_for_reading(path, O_NONBLOCK));  // a FIFO would wait for a writer otherwise
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) fail(path, "cannot stat", errno);
  if (S_ISDIR(status.st_mode)) throw Error(Status::bad_argument, path + ": a file was expected, this is a folder");
  if (!S_ISREG(status.st_mode)) throw Error(Status::bad_argument, path + ": a regular file was expected");
  MappedFile mapped;
  mapped.path_ = path;
  if (status.st_size == 0) return mapped;
  void* data = ::mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ, MAP_SHARED, file.get(), 0);
  if (data == MAP_FAILED) fail(path, "cannot map", errno);
  mapped.data_ = static_cast<const std::byte*>(data);
  mapped.size_ = static_cast<size_t>(status.st_size);
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
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
  data_ = nullptr;
  size_ = 0;
}

void MappedFile::will_need(size_t offset, size_t length) const noexcept {
  advise(offset, length, MADV_WILLNEED);
}

void MappedFile::dont_need(size_t offset, size_t length) const noexcept {
  advise(offset, length, MADV_DONTNEED);
}

void MappedFile::advise(size_t offset, size_t length, int advice) const noexcept {
  if (offset >= size_ || length == 0) return;
  const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  size_t end = offset + std::min(length, size_ - offset);
  size_t begin = offset / page * page;
  if (advice == MADV_DONTNEED) {  // whole pages only: the neighbours may still be in use
    begin = (offset + page - 1) / page * page;
    if (end != size_) end = end / page * page;
    if (begin >= end) return;
  }
  ::madvise(const_cast<std::byte*>(data_) + begin, end - begin, advice);  // a hint: failure changes nothing
}

std::string read_text_file(const std::string& path, size_t max_bytes) {
  const Descriptor file(open_for_reading(path, 0));
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) fail(path, "cannot stat", errno);
  if (S_ISDIR(status.st_mode)) throw Error(Status::bad_argument, path + ": a file was expected, this is a folder");
  const auto check = [&](size_t size) {
    if (size <= max_bytes) return;
    throw Error(Status::bad_file, path + ": longer than the " + std::to_string(max_bytes) + " bytes allowed");
  };
  const size_t known = S_ISREG(status.st_mode) ? static_cast<size_t>(status.st_size) : 0;  // 0 for pipes and /proc
  check(known);
  std::string text(known + 1, '\0');  // one more, so that the read that finds the end needs no growth
  size_t used = 0;
  for (;;) {
    if (used == text.size()) text.resize(std::max<size_t>(4096, used * 2));
    const ssize_t n = ::read(file.get(), text.data() + used, text.size() - used);
    if (n < 0 && errno == EINTR) continue;
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
  struct stat status = {};
  if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
    throw Error(Status::bad_argument, path + ": a regular file was expected, this is a pipe or a device");
  return read_text_file(path, max_bytes);
}

bool is_regular_file(const std::string& path) noexcept {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

bool is_folder(const std::string& path) noexcept {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

}  // namespace quern
