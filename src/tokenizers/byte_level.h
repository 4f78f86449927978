// GPT-2's names for bytes (Radford et al., 2019, encoder.py): every byte is one printable character, so that a
// byte-level vocabulary is text. Used by the stages and decoders called ByteLevel.
#pragma once
#include <array>
#include <cstdint>

namespace quern::byte_level {

// 21-7E, A1-AC and AE-FF stand for themselves; the other 68 bytes follow from U+0100 on, in order.
constexpr bool is_printable(uint32_t byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

constexpr uint32_t n_renamed = 68;

inline constexpr auto chars = [] {
  std::array<char32_t, 256> table{};
  char32_t next = 0x100;
  for (uint32_t byte = 0; byte < 256; ++byte) table[byte] = is_printable(byte) ? byte : next++;
  return table;
}();

inline constexpr auto bytes = [] {
  std::array<int16_t, 0x100 + n_renamed> table{};
  table.fill(-1);
  for (uint32_t byte = 0; byte < 256; ++byte) table[chars[byte]] = static_cast<int16_t>(byte);
  return table;
}();

constexpr char32_t to_char(uint8_t byte) noexcept {
  return chars[byte];
}
// The byte that a character names, or -1.
constexpr int to_byte(char32_t code) noexcept {
  return code < bytes.size() ? bytes[code] : -1;
}

}  // namespace quern::byte_level
