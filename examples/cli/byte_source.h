// The bytes of an input: a file or stdin, decompressed where they are gzip or zstd, known to be text. Bounded memory.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace cli {

// gzip or zstd, a part at a time.
class Unpacker {
 public:
  virtual ~Unpacker() = default;
  // Takes from the front of `in` and writes to `out`; returns how much it wrote. Throws Failure; name: of the input.
  virtual size_t unpack(std::string_view& in, char* out, size_t size) = 0;
  virtual bool whole() const = 0;  // nothing is missing, if the input ends here
  virtual const char* what() const = 0;
};

// By the first bytes; null for what is not compressed.
std::unique_ptr<Unpacker> unpacker_of(std::string_view head, const std::string& name);

class ByteSource {
 public:
  // path: "-" for stdin. name: of it, for messages, where it has another. Reads nothing yet. Throws Failure.
  explicit ByteSource(const std::string& path, const std::string& name = "");
  ~ByteSource();
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  // The next bytes, none at the end; valid until the next call. Behind a byte order mark. Throws Failure for what is
  // not text: binary formats by name, NUL bytes, UTF-16.
  std::string_view next();
  uint64_t consumed() const { return consumed_; }  // of the file, as it lies there
  const std::string& name() const { return name_; }

 private:
  size_t read_raw(char* to, size_t size);
  size_t fill(char* to, size_t size);
  void begin();
  void require_text(std::string_view bytes);

  std::string name_;
  int descriptor_ = -1;
  bool begun_ = false, ended_ = false;
  uint64_t consumed_ = 0, given_ = 0;
  std::unique_ptr<Unpacker> unpacker_;
  std::vector<char> raw_, buffer_;
  std::string_view waiting_, head_;  // of raw_, of buffer_
};

}  // namespace cli
