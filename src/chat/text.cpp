// Text with origins. See text.h.
#include "chat/text.h"

#include <algorithm>

#include "tokenizers/utf8.h"

namespace quern::chat {

bool Text::any_from_user() const {
  return std::any_of(runs_.begin(), runs_.end(), [](const Run& r) { return r.from_user; });
}

size_t Text::run_at(size_t byte) const {
  const auto after =
      std::upper_bound(runs_.begin(), runs_.end(), byte, [](size_t b, const Run& r) { return b < r.end; });
  return static_cast<size_t>(after - runs_.begin());
}

void Text::append(std::string_view bytes, bool from_user) {
  if (bytes.empty()) return;
  bytes_ += bytes;
  const uint32_t end = static_cast<uint32_t>(bytes_.size());
  if (!runs_.empty() && runs_.back().from_user == from_user) {
    runs_.back().end = end;
  } else {
    runs_.push_back({end, from_user});
  }
}

void Text::append(const Text& text, size_t begin, size_t end) {
  if (begin >= end) return;
  if (&text == this) return append(Text(text), begin, end);
  for (size_t r = text.run_at(begin); begin < end; ++r) {
    const size_t stop = std::min<size_t>(text.runs_[r].end, end);
    append(std::string_view(text.bytes_).substr(begin, stop - begin), text.runs_[r].from_user);
    begin = stop;
  }
}

Text Text::slice(size_t begin, size_t end) const {
  Text out;
  out.append(*this, begin, end);
  return out;
}

size_t count_chars(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }));
}

size_t byte_of_char(std::string_view text, size_t n) {
  size_t at = 0;
  for (; n > 0 && at < text.size(); --n) at += utf8_size(text[at]);
  return at;
}

}  // namespace quern::chat
