// A read position in untrusted little-endian bytes: nothing is read or skipped that is not there. For gguf/ alone.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "error.h"

namespace quern {

static_assert(std::endian::native == std::endian::little, "values are read in place");

class GgufCursor {
 public:
  GgufCursor(std::span<const std::byte> bytes, const std::string& file) : bytes_(bytes), file_(file) {}

  size_t position() const { return position_; }
  size_t remaining() const { return bytes_.size() - position_; }

  // `what` names the field for the message.
  std::span<const std::byte> take(uint64_t size, const char* what) {
    if (size > remaining()) {
      throw Error(Status::bad_file, file_ + ": " + what + " at byte " + std::to_string(position_) + " needs " +
                                        std::to_string(size) + " bytes, the file has " + std::to_string(remaining()) +
                                        " more");
    }
    const auto taken = bytes_.subspan(position_, static_cast<size_t>(size));
    position_ += static_cast<size_t>(size);
    return taken;
  }

  template <class T>
  T number(const char* what) {
    T value;
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }

  std::string_view string(const char* what) {
    const uint64_t size = number<uint64_t>(what);
    const auto taken = take(size, what);
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }

  // Throws unless `count` records of at least min_bytes each can lie in what remains.
  void bound_count(uint64_t count, uint64_t min_bytes, const char* what) const {
    if (count <= remaining() / min_bytes) return;
    throw Error(Status::bad_file, file_ + ": " + what + " is " + std::to_string(count) + ", but only " +
                                      std::to_string(remaining()) + " bytes remain for them");
  }

 private:
  std::span<const std::byte> bytes_;
  const std::string& file_;
  size_t position_ = 0;
};

}  // namespace quern
