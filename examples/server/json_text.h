// Numbers as JSON text, fast: most of an answer is floats.
#pragma once
#include <charconv>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace server {

// The shortest decimal that reads back as the same float. Finite ones only.
inline void append(std::string& out, float value) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  out.append(text, end);
}

inline void append(std::string& out, std::span<const float> values) {
  out += '[';
  for (size_t i = 0; i < values.size(); ++i) {
    if (i) out += ',';
    append(out, values[i]);
  }
  out += ']';
}

// Of the bytes of little-endian floats, as OpenAI's clients read them.
inline void append_base64(std::string& out, std::span<const float> values) {
  constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const unsigned char* bytes = reinterpret_cast<const unsigned char*>(values.data());
  const size_t n = values.size_bytes();
  out += '"';
  size_t i = 0;
  for (; i + 3 <= n; i += 3) {
    const uint32_t v = static_cast<uint32_t>(bytes[i] << 16 | bytes[i + 1] << 8 | bytes[i + 2]);
    const char group[] = {digits[v >> 18], digits[v >> 12 & 63], digits[v >> 6 & 63], digits[v & 63]};
    out.append(group, 4);
  }
  if (i < n) {
    const bool two = n - i == 2;
    const uint32_t v = static_cast<uint32_t>(bytes[i] << 16 | (two ? bytes[i + 1] << 8 : 0));
    const char group[] = {digits[v >> 18], digits[v >> 12 & 63], two ? digits[v >> 6 & 63] : '=', '='};
    out.append(group, 4);
  }
  out += '"';
}

}  // namespace server
