// Places in a text in characters (Unicode code points), as the Python libraries count, of places in its bytes.
#pragma once
#include <cstddef>
#include <string_view>
#include <utility>

namespace server {

// Of texts in UTF-8; goes through the text once where places come in order, and back only as far as they go back.
class Characters {
 public:
  explicit Characters(std::string_view text) : text_(text) {}

  // A part that begins or ends within a character has all of it.
  std::pair<size_t, size_t> of(size_t begin, size_t end) {
    while (begin < text_.size() && begin > 0 && is_inside(begin)) --begin;
    while (end < text_.size() && is_inside(end)) ++end;
    const size_t first = at(begin);
    return {first, at(end)};
  }

 private:
  bool is_inside(size_t byte) const { return (static_cast<unsigned char>(text_[byte]) & 0xC0) == 0x80; }
  size_t at(size_t byte) {
    if (byte > text_.size()) byte = text_.size();
    for (; byte_ < byte; ++byte_) characters_ += !is_inside(byte_);
    for (; byte_ > byte; --byte_) characters_ -= !is_inside(byte_ - 1);
    return characters_;
  }

  std::string_view text_;
  size_t byte_ = 0, characters_ = 0;
};

}  // namespace server
