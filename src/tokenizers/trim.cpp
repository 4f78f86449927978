// Trimming. See trim.h.
#include "trim.h"

#include "byte_level.h"
#include "unicode.h"
#include "utf8.h"

namespace quern {
namespace {

bool is_space(char32_t c) {
  return c == byte_level::to_char(' ') || (unicode::flags(c) & unicode::white_space);
}

// How many characters at an end of value are white space. What is not UTF-8 is none.
size_t leading(std::string_view value) {
  size_t n = 0;
  for (size_t i = 0; i < value.size(); ++n) {
    const size_t size = utf8_char_size(value, i);
    if (find_invalid_utf8(value.substr(i, size)) != size || !is_space(decode_utf8(value.data() + i).code)) break;
    i += size;
  }
  return n;
}

size_t trailing(std::string_view value) {
  size_t n = 0;
  for (size_t end = value.size(); end > 0; ++n) {
    const size_t size = utf8_char_size_before(value, end);
    const std::string_view last = value.substr(end - size, size);
    if (find_invalid_utf8(last) != size || !is_space(decode_utf8(last.data()).code)) break;
    end -= size;
  }
  return n;
}

}  // namespace

Span trim_offsets(std::string_view text, Span offsets, std::string_view value, bool keep_prefix) {
  size_t n_leading = leading(value);
  if (n_leading == 1 && keep_prefix) n_leading = 0;
  for (; n_leading > 0 && offsets.begin < offsets.end; --n_leading) {
    offsets.begin += static_cast<uint32_t>(utf8_char_size(text, offsets.begin));
  }
  for (size_t n = trailing(value); n > 0 && offsets.end > offsets.begin; --n) {
    offsets.end -= static_cast<uint32_t>(utf8_char_size_before(text, offsets.end));
  }
  return offsets;
}

}  // namespace quern
