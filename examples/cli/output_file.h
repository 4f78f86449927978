// Where an output's bytes go: stdout, a device, or a file that appears under its name once it is whole. Until then such
// a file has no name at all, or, once keep() was called, that of an unfinished one which another run can go on with.
#pragma once
#include <cstdint>
#include <cstdio>
#include <string>

namespace cli {

class OutputFile {
 public:
  explicit OutputFile(const std::string& path);  // "-" is stdout. Throws Failure
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  // Behind the first `length` bytes of the unfinished file of this name in place of a new one. Throws Failure.
  void go_on(const std::string& unfinished, uint64_t length);

  void put(const void* data, size_t size);
  void put_head(const void* data, size_t size);  // at the beginning; may be put once more, of the same size
  bool can_seek() const;
  bool renamed() const { return regular_; }  // appears under its name at the end, so that keep() can be called
  void keep(const std::string& unfinished);
  void sync();     // all of it is on the disk
  void finish();   // gives the file its name
  void discard();  // the file, which does not get its name
  int descriptor() const;
  const std::string& name() const { return path_; }

  // Bytes put so far, and a CRC-32 of those from `from` on. take_chunk begins the next chunk behind them.
  struct Chunk {
    uint64_t from = 0, end = 0;
    uint32_t crc = 0;
  };
  Chunk take_chunk();

 private:
  void open_unnamed(unsigned mode);
  void link_as(const std::string& name);
  std::string name_beside(unsigned i) const;
  [[noreturn]] void fail(const char* action) const;

  std::string path_, temporary_;  // temporary: the name that it has meanwhile, if any
  bool unnamed_ = false, regular_ = false, kept_ = false;
  std::FILE* file_ = nullptr;
  uint64_t size_ = 0;
  Chunk chunk_;
};

// Whether the chunk of the file has this CRC.
bool has_chunk(const std::string& path, const OutputFile::Chunk& chunk);

void sync_folder_of(const std::string& path);

std::string file_digest(const std::string& path);  // CRC-32 and size of what is in it. Throws Failure

}  // namespace cli
