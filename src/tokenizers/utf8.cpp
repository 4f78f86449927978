// UTF-8 validation and repair. See utf8.h.
#include "utf8.h"

#include <algorithm>
#include <cstring>

namespace quern {
namespace {

struct Sequence {
  uint32_t size;  // of the valid sequence, or of the maximal part that could have started one
  bool valid;
};

Sequence read_sequence(const uint8_t* p, size_t left) noexcept {
  const uint8_t lead = p[0];
  if (lead < 0x80) return {1, true};
  if (lead < 0xC2 || lead > 0xF4) return {1, false};
  const uint32_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte's range excludes overlong forms, surrogates and what lies above U+10FFFF.
  const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (uint32_t i = 1; i < size; ++i) {
    if (i >= left) return {i, false};
    if (p[i] < (i == 1 ? low : 0x80) || p[i] > (i == 1 ? high : 0xBF)) return {i, false};
  }
  return {size, true};
}

}  // namespace

Utf8Char decode_utf8_before(const char* p, size_t size) noexcept {
  size_t start = size - 1;
  while (start > 0 && (static_cast<uint8_t>(p[start]) & 0xC0) == 0x80) --start;
  return decode_utf8(p + start);
}

std::u32string decode_utf8(std::string_view text) {
  std::u32string out;
  for (size_t i = 0; i < text.size();) {
    const Utf8Char c = decode_utf8(text.data() + i);
    out += c.code;
    i += c.size;
  }
  return out;
}

size_t utf8_char_size(std::string_view text, size_t at) noexcept {
  return read_sequence(reinterpret_cast<const uint8_t*>(text.data()) + at, text.size() - at).size;
}

size_t utf8_char_size_before(std::string_view text, size_t end) noexcept {
  for (size_t size = std::min<size_t>(4, end); size > 1; --size) {
    if (utf8_char_size(text.substr(0, end), end - size) == size) return size;
  }
  return 1;
}

size_t find_invalid_utf8(std::string_view text) noexcept {
  const auto* p = reinterpret_cast<const uint8_t*>(text.data());
  size_t i = 0;
  while (i < text.size()) {
    while (i + 8 <= text.size()) {  // eight ASCII bytes at once
      uint64_t word;
      std::memcpy(&word, p + i, 8);
      if (word & 0x8080808080808080) break;
      i += 8;
    }
    if (i == text.size()) break;
    const Sequence s = read_sequence(p + i, text.size() - i);
    if (!s.valid) return i;
    i += s.size;
  }
  return i;
}

size_t unfinished_utf8(std::string_view text) noexcept {
  for (size_t n = 1; n <= 3 && n <= text.size(); ++n) {
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[text.size() - n + i]); };
    const uint8_t lead = byte(0);
    if ((lead & 0xC0) == 0x80) continue;
    if (lead < 0xC2 || lead > 0xF4 || n >= utf8_size(static_cast<char>(lead))) return 0;
    const bool second_fits = n == 1 || ((lead != 0xE0 || byte(1) >= 0xA0) && (lead != 0xED || byte(1) < 0xA0) &&
                                        (lead != 0xF0 || byte(1) >= 0x90) && (lead != 0xF4 || byte(1) < 0x90));
    return second_fits ? n : 0;
  }
  return 0;
}

void RepairedUtf8::assign(std::string_view text) {
  text_.clear();
  replaced_.clear();
  size_t done = 0;
  while (done < text.size()) {
    const size_t bad = done + find_invalid_utf8(text.substr(done));
    text_.append(text, done, bad - done);
    if (bad == text.size()) break;
    const Sequence s = read_sequence(reinterpret_cast<const uint8_t*>(text.data()) + bad, text.size() - bad);
    text_ += "\xEF\xBF\xBD";
    done = bad + s.size;
    replaced_.push_back({static_cast<uint32_t>(text_.size()), static_cast<uint32_t>(done)});
  }
}

uint32_t RepairedUtf8::original(uint32_t offset) const {
  const auto after = std::upper_bound(replaced_.begin(), replaced_.end(), offset,
                                      [](uint32_t x, const Replaced& r) { return x < r.copy_end; });
  if (after == replaced_.begin()) return offset;
  const Replaced& r = *(after - 1);
  return r.original_end + (offset - r.copy_end);
}

}  // namespace quern
