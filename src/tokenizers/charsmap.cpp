// Precompiled charsmaps. See charsmap.h.
#include "charsmap.h"

#include <array>
#include <cstring>

#include "utf8.h"

namespace quern {
namespace {

// A unit of a double array: a label, the distance to its children, and whether a value is among them.
constexpr uint32_t label(uint32_t unit) {
  return unit & 0x800000FF;
}
constexpr uint32_t offset(uint32_t unit) {
  return (unit >> 10) << ((unit & 0x200) >> 6);
}
constexpr bool has_value(uint32_t unit) {
  return (unit >> 8 & 1) != 0;
}
constexpr uint32_t value(uint32_t unit) {
  return unit & 0x7FFFFFFF;
}

constexpr size_t max_replacement = 4096;  // bytes, for each character of a text may be replaced

constexpr auto base64_digits = [] {
  std::array<int8_t, 256> digits{};
  digits.fill(-1);
  int8_t n = 0;
  for (const char c : std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
    digits[static_cast<uint8_t>(c)] = n++;
  return digits;
}();

}  // namespace

Charsmap::Charsmap(std::string_view bytes, const JsonField& field) {
  uint32_t trie_bytes = 0;
  if (bytes.size() < sizeof trie_bytes) field.fail("should hold at least 4 bytes");
  std::memcpy(&trie_bytes, bytes.data(), sizeof trie_bytes);  // little-endian, as every machine that quern runs on
  bytes.remove_prefix(sizeof trie_bytes);
  if (trie_bytes == 0 || trie_bytes % sizeof(uint32_t) != 0 || trie_bytes > bytes.size()) {
    field.fail("says that its trie has " + std::to_string(trie_bytes) + " bytes, but " + std::to_string(bytes.size()) +
               " follow");
  }
  units_.resize(trie_bytes / sizeof(uint32_t));
  std::memcpy(units_.data(), bytes.data(), trie_bytes);
  strings_ = bytes.substr(trie_bytes);
  strings_ += '\0';  // so that every string ends
  for (size_t begin = 0, end = 0; begin < strings_.size(); begin = end + 1) {
    end = strings_.find('\0', begin);
    if (end - begin > max_replacement) field.fail("has a replacement of more than 4096 bytes", Status::unsupported);
  }
  if (find_invalid_utf8(strings_) != strings_.size()) field.fail("has replacements that are not UTF-8");
}

std::optional<std::string_view> Charsmap::find(std::string_view text) const {
  uint32_t node = offset(units_[0]);
  for (const char c : text) {
    const uint32_t byte = static_cast<uint8_t>(c);
    if (byte == 0) break;
    node ^= byte;
    if (node >= units_.size() || label(units_[node]) != byte) break;
    const uint32_t unit = units_[node];
    node ^= offset(unit);
    if (!has_value(unit)) continue;
    const size_t at = node < units_.size() ? value(units_[node]) : strings_.size();
    // A value that points nowhere, or into a character, is taken for no value.
    if (at >= strings_.size() || (static_cast<uint8_t>(strings_[at]) & 0xC0) == 0x80) return std::nullopt;
    return std::string_view(strings_.data() + at);
  }
  return std::nullopt;
}

std::string decode_base64(std::string_view text, const JsonField& field) {
  while (!text.empty() && text.back() == '=' && text.size() % 4 != 1) text.remove_suffix(1);
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3 + 3);
  uint32_t bits = 0;
  int n_bits = 0;
  for (const char c : text) {
    const int digit = base64_digits[static_cast<uint8_t>(c)];
    if (digit < 0) field.fail("should be base64");
    bits = bits << 6 | static_cast<uint32_t>(digit);
    n_bits += 6;
    if (n_bits < 8) continue;
    n_bits -= 8;
    bytes += static_cast<char>(bits >> n_bits & 0xFF);
  }
  if (n_bits == 6 || (bits & ((1u << n_bits) - 1)) != 0) field.fail("should be base64, but ends within a byte");
  return bytes;
}

}  // namespace quern
