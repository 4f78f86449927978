// UTF-8: decoding of text known to be valid, and the repair of text that is not.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

struct Utf8Char {
  char32_t code;
  uint32_t size;  // bytes, 1 to 4
};

// Bytes of the character that starts with this one, in a valid text.
inline size_t utf8_size(char first) noexcept {
  const uint8_t byte = static_cast<uint8_t>(first);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

// The character at p, which must start a valid sequence.
inline Utf8Char decode_utf8(const char* p) noexcept {
  const auto b = [p](int i) { return static_cast<uint32_t>(static_cast<uint8_t>(p[i])); };
  if (b(0) < 0x80) return {b(0), 1};
  if (b(0) < 0xE0) return {(b(0) & 31) << 6 | (b(1) & 63), 2};
  if (b(0) < 0xF0) return {(b(0) & 15) << 12 | (b(1) & 63) << 6 | (b(2) & 63), 3};
  return {(b(0) & 7) << 18 | (b(1) & 63) << 12 | (b(2) & 63) << 6 | (b(3) & 63), 4};
}

// The character that ends at p + size, of a valid text p[0, size); size must not be 0.
Utf8Char decode_utf8_before(const char* p, size_t size) noexcept;

// Writes 1 to 4 bytes and returns how many.
inline size_t encode_utf8(char32_t c, char* out) noexcept {
  const auto put = [out](int i, uint32_t byte) { out[i] = static_cast<char>(byte); };
  if (c < 0x80) return put(0, c), 1;
  if (c < 0x800) return put(0, 0xC0 | c >> 6), put(1, 0x80 | (c & 63)), 2;
  if (c < 0x10000) return put(0, 0xE0 | c >> 12), put(1, 0x80 | (c >> 6 & 63)), put(2, 0x80 | (c & 63)), 3;
  return put(0, 0xF0 | c >> 18), put(1, 0x80 | (c >> 12 & 63)), put(2, 0x80 | (c >> 6 & 63)), put(3, 0x80 | (c & 63)),
         4;
}

// The characters of a valid text.
std::u32string decode_utf8(std::string_view text);

// The bytes at text[at], below its end, that read as one character: a valid one, or U+FFFD for what is invalid.
size_t utf8_char_size(std::string_view text, size_t at) noexcept;
// … that end at `end`, above 0.
size_t utf8_char_size_before(std::string_view text, size_t end) noexcept;

// Where the first invalid sequence starts; text.size() if there is none.
size_t find_invalid_utf8(std::string_view text) noexcept;

// How many bytes at the end of text begin a character that more bytes could complete.
size_t unfinished_utf8(std::string_view text) noexcept;

// A valid copy of a text: each maximal invalid part (Unicode 3.9, "substitution of maximal subparts") became U+FFFD.
class RepairedUtf8 {
 public:
  // text must be below 1 GiB: the copy is at most three times as long.
  void assign(std::string_view text);
  std::string_view text() const { return text_; }
  size_t n_replaced() const { return replaced_.size(); }
  // The byte of the original that stands at a byte (a character's start or end) of the copy.
  uint32_t original(uint32_t offset) const;

 private:
  struct Replaced {
    uint32_t copy_end, original_end;
  };
  std::string text_;
  std::vector<Replaced> replaced_;
};

}  // namespace quern
