// ByteLevel's rewriting of a text: each byte of its UTF-8 becomes the character that names it.
#pragma once
#include "byte_level.h"
#include "text.h"
#include "utf8.h"

namespace quern {

// All bytes of a character share its place in the original.
inline void append_bytes(const Char& c, Chars& out) {
  if (c.code < 128) {
    out.push_back({byte_level::to_char(static_cast<uint8_t>(c.code)), c.begin, c.end});
    return;
  }
  char bytes[4];
  const size_t n = encode_utf8(c.code, bytes);
  for (size_t i = 0; i < n; ++i) {
    out.push_back({byte_level::to_char(static_cast<uint8_t>(bytes[i])), c.begin, c.end});
  }
}

}  // namespace quern
