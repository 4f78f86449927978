#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <new>

#include "byte_source.h"
#include "common.h"

namespace cli {
namespace {

constexpr std::string_view kGzip("\x1F\x8B", 2), kZstd("\x28\xB5\x2F\xFD", 4);

class Gzip final : public Unpacker {
 public:
  explicit Gzip(std::string name) : name_(std::move(name)) {
    if (inflateInit2(&stream_, 15 + 16) != Z_OK) throw std::bad_alloc();
  }
  ~Gzip() override { inflateEnd(&stream_); }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  size_t unpack(std::string_view& in, char* out, size_t size) override {
    if (ended_) {  // another member may follow, and padding
      in.remove_prefix(std::min(in.find_first_not_of('\0'), in.size()));
      if (in.empty()) return 0;
      inflateReset(&stream_);
      ended_ = false;
    }
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = static_cast<uInt>(size);
    const int status = inflate(&stream_, Z_NO_FLUSH);
    if (status == Z_MEM_ERROR) throw std::bad_alloc();
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
      throw Failure{1, name_ + ": broken gzip data: " + (stream_.msg ? stream_.msg : "a dictionary is asked for")};
    in.remove_prefix(in.size() - stream_.avail_in);
    ended_ = status == Z_STREAM_END;
    return size - stream_.avail_out;
  }
  bool whole() const override { return ended_; }
  const char* what() const override { return "gzip"; }

 private:
  std::string name_;
  z_stream stream_{};
  bool ended_ = false;
};

class Zstd final : public Unpacker {
 public:
  explicit Zstd(std::string name) : name_(std::move(name)), stream_(ZSTD_createDStream()) {
    if (!stream_) throw std::bad_alloc();
  }
  ~Zstd() override { ZSTD_freeDStream(stream_); }
  Zstd(const Zstd&) = delete;
  Zstd& operator=(const Zstd&) = delete;

  size_t unpack(std::string_view& in, char* out, size_t size) override {
    if (in.empty() && whole_) return 0;
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer to{out, size, 0};
    const size_t status = ZSTD_decompressStream(stream_, &to, &from);
    if (ZSTD_isError(status)) throw Failure{1, name_ + ": broken zstd data: " + ZSTD_getErrorName(status)};
    in.remove_prefix(from.pos);
    whole_ = status == 0;
    return to.pos;
  }
  bool whole() const override { return whole_; }
  const char* what() const override { return "zstd"; }

 private:
  std::string name_;
  ZSTD_DStream* stream_;
  bool whole_ = false;
};

}  // namespace

std::unique_ptr<Unpacker> unpacker_of(std::string_view head, const std::string& name) {
  if (head.starts_with(kGzip)) return std::make_unique<Gzip>(name);
  if (head.starts_with(kZstd)) return std::make_unique<Zstd>(name);
  return nullptr;
}

}  // namespace cli
