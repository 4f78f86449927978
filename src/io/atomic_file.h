// Writing a file so that its path holds either the old bytes or all of the new ones, never a part.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace quern {

// Writes a file without a name in PATH's folder, which goes with the process however that ends; commit() gives it PATH.
// Where the file system has no such files it is PATH.<random>.tmp meanwhile, which is removed unless the process is
// killed. Without commit() PATH stays as it was. A PATH that is there and is no regular file (a device, a FIFO), or is
// one by way of /dev or /proc (/dev/stdout), is appended to directly; what was written to it before an error stays
// written. Every failed write throws Error io with the system's reason and PATH. Not thread-safe.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  // Appends. The bytes are buffered up to 1 MiB.
  void write(const void* data, size_t size);

  // Overwrites [offset, offset + size), which must have been written already. Throws unsupported when PATH is written
  // directly.
  void pwrite_at(uint64_t offset, const void* data, size_t size);

  uint64_t size() const { return written_; }  // bytes appended so far
  const std::string& path() const { return path_; }

  // Flush, fsync, rename. No call may follow.
  void commit();

 private:
  void open_temporary(unsigned mode);
  void give_name();
  void flush();
  void write_out(const void* data, size_t size);
  [[noreturn]] void fail(const char* action, int error) const;
  void discard() noexcept;

  std::string path_;
  std::string temporary_;  // its name, if it has one
  bool direct_ = false;
  std::string buffer_;
  int descriptor_ = -1;
  uint64_t written_ = 0;
};

}  // namespace quern
