#include "byte_source.h"

#include <cerrno>
#include <cstring>

#include "common.h"
#include "content.h"
#include "os/files.h"

namespace cli {
namespace {

constexpr size_t kBlock = 64 << 10;
constexpr int kStdin = 0;

}  // namespace

ByteSource::ByteSource(const std::string& path, const std::string& name)
    : name_(name.empty() ? path : name), raw_(kBlock), buffer_(kBlock) {
  if (path == "-") {
    name_ = "stdin";
    descriptor_ = kStdin;
    return;
  }
  descriptor_ = os::open_file(path, os::kRead);
  if (descriptor_ < 0) throw Failure{1, name_ + ": " + std::strerror(errno)};
}

ByteSource::~ByteSource() {
  if (descriptor_ >= 0 && descriptor_ != kStdin) os::close_file(descriptor_);
}

size_t ByteSource::read_raw(char* to, size_t size) {
  const int64_t n = os::read_some(descriptor_, to, size);
  if (n < 0) throw Failure{1, name_ + ": " + std::strerror(errno)};
  consumed_ += static_cast<uint64_t>(n);
  return static_cast<size_t>(n);
}

// Some more bytes of what is in the input; none at its end.
size_t ByteSource::fill(char* to, size_t size) {
  if (!unpacker_ && !waiting_.empty()) {
    const size_t n = waiting_.copy(to, size);
    waiting_.remove_prefix(n);
    return n;
  }
  if (!unpacker_) return read_raw(to, size);
  for (;;) {
    // What it holds back comes out before it is given more.
    if (const size_t n = unpacker_->unpack(waiting_, to, size)) return n;
    if (!waiting_.empty()) continue;
    const size_t n = read_raw(raw_.data(), raw_.size());
    if (n == 0 && !unpacker_->whole())
      throw Failure{1, name_ + ": the " + unpacker_->what() + " data ends early (a broken download?)"};
    if (n == 0) return 0;
    waiting_ = {raw_.data(), n};
  }
}

void ByteSource::require_text(std::string_view bytes) {
  const size_t nul = bytes.find('\0');
  if (nul != std::string_view::npos)
    throw Failure{1, name_ + ": expected text, found a NUL byte at byte " + std::to_string(given_ + nul) +
                         " (tr -d '\\000' takes them out, if it is text)"};
  given_ += bytes.size();
}

void ByteSource::begin() {
  begun_ = true;
  size_t n = 0;
  while (n < kHeadBytes) {
    const size_t got = read_raw(raw_.data() + n, raw_.size() - n);
    if (got == 0) break;
    n += got;
  }
  waiting_ = {raw_.data(), n};
  unpacker_ = unpacker_of(waiting_, name_);
  if (!unpacker_) require_as_named(name_);
  size_t known = 0;
  while (known < kHeadBytes) {
    const size_t got = fill(buffer_.data() + known, buffer_.size() - known);
    if (got == 0) break;
    known += got;
  }
  head_ = {buffer_.data(), known};
  require_known(head_, name_);
  if (head_.starts_with("\xEF\xBB\xBF")) {
    head_.remove_prefix(3);
    given_ = 3;
  }
}

std::string_view ByteSource::next() {
  if (!begun_) {
    begin();
    require_text(head_);
    if (!head_.empty()) return head_;
  }
  if (ended_) return {};
  const size_t n = fill(buffer_.data(), buffer_.size());
  ended_ = n == 0;
  require_text({buffer_.data(), n});
  return {buffer_.data(), n};
}

}  // namespace cli
