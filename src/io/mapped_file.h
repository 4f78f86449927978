// Reading files: a whole file mapped read-only, and small text files read into memory with a bound.
// Not for writing; see atomic_file.h.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace quern {

// A regular file, mapped read-only and shared. The size is fixed at open(): another process that truncates the file
// later makes reads past the new end fault, as with every mmap.
class MappedFile {
 public:
  // Throws Error: not_found, io (permissions), bad_argument (a folder, a device, a FIFO).
  static MappedFile open(const std::string& path);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  // Valid as long as this object, also after it is moved into another one. An empty file gives an empty span.
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }

  // Hints on [offset, offset + length), clipped to the file. dont_need() gives pages of a file back to the system;
  // they are read again when touched.
  void will_need(size_t offset, size_t length) const noexcept;
  void dont_need(size_t offset, size_t length) const noexcept;

 private:
  void advise(size_t offset, size_t length, bool gives_back) const noexcept;
  void close() noexcept;

  std::string path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// The whole of a file of at most max_bytes. Throws Error: not_found, io, bad_argument (a folder),
// bad_file (longer than max_bytes, or a Git LFS pointer).
std::string read_text_file(const std::string& path, size_t max_bytes);

// The same of a file that belongs to a model: a pipe or a device, which may never end or begin, is bad_argument.
std::string read_model_text(const std::string& path, size_t max_bytes);

bool is_regular_file(const std::string& path) noexcept;  // follows symbolic links
bool is_folder(const std::string& path) noexcept;

}  // namespace quern
