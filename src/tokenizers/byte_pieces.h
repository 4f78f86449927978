// The pieces "<0x00>" … "<0xFF>" that stand for bytes which no other piece covers (byte_fallback).
#pragma once
#include <algorithm>
#include <iterator>
#include <string_view>

#include "vocabulary.h"

namespace quern {

class BytePieces {
 public:
  explicit BytePieces(const Vocabulary& vocab) {
    constexpr char digits[] = "0123456789ABCDEF";
    char name[] = "<0x00>";
    for (uint32_t byte = 0; byte < 256; ++byte) {
      name[3] = digits[byte >> 4];
      name[4] = digits[byte & 15];
      ids_[byte] = vocab.find(name);
    }
  }
  int32_t id(char byte) const noexcept { return ids_[static_cast<uint8_t>(byte)]; }  // -1 when absent
  bool have(std::string_view bytes) const noexcept {
    for (const char byte : bytes)
      if (id(byte) < 0) return false;
    return true;
  }

  bool complete() const noexcept { return std::find(std::begin(ids_), std::end(ids_), -1) == std::end(ids_); }
  static bool is_one(std::string_view piece) noexcept {
    return piece.size() == 6 && piece.starts_with("<0x") && piece.ends_with('>');
  }

 private:
  int32_t ids_[256];
};

}  // namespace quern
