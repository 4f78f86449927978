// See text_ops.h.
#include "chat/text_ops.h"

#include <algorithm>

#include "chat/python_text.h"
#include "tokenizers/utf8.h"

namespace quern::chat {

Text strip(Evaluator& e, const Text& text, const Value& chars, bool left, bool right) {
  e.budget.work(text.size());
  std::string_view rest = text.bytes();
  const bool white = chars.is(Kind::absent) || chars.is(Kind::none);
  if (!white && !chars.is(Kind::string)) e.fail("strip arg must be None or str, not " + type_name(chars));
  if (!white && chars.text().size() > 1024) e.fail("strip has more than 1024 bytes of characters");
  if (left) rest = white ? strip_left(rest) : strip_left(rest, chars.text().bytes());
  const size_t begin = text.size() - rest.size();
  if (right) rest = white ? strip_right(rest) : strip_right(rest, chars.text().bytes());
  return text.slice(begin, begin + rest.size());
}

Text replace_all(Evaluator& e, const Text& text, const Text& old, const Text& with, int64_t count) {
  e.budget.work(text.size());
  Text out;
  const std::string& bytes = text.bytes();
  uint64_t left = count < 0 ? UINT64_MAX : static_cast<uint64_t>(count);
  size_t done = 0;
  if (old.empty()) {  // before each character and at the end
    for (; left > 0; --left) {
      e.append(out, with);
      if (done == bytes.size()) break;
      const size_t end = done + utf8_size(bytes[done]);
      e.append(out, text, done, end);
      done = end;
    }
  }
  for (size_t at; !old.empty() && left > 0 && (at = bytes.find(old.bytes(), done)) != std::string::npos; --left) {
    e.append(out, text, done, at);
    e.append(out, with);
    done = at + old.size();
  }
  e.append(out, text, done, bytes.size());
  return out;
}

Text pad(Evaluator& e, const Text& text, int64_t width, const Text& fill, Align align) {
  const int64_t size = static_cast<int64_t>(count_chars(text.bytes()));
  const int64_t room = std::max<int64_t>(width - size, 0);
  const int64_t half = room / 2 + (room & width & 1);  // Python's choice of the odd one's side
  const int64_t before = align == Align::left ? 0 : align == Align::right ? room : half;
  Text out;
  for (int64_t i = 0; i < before; ++i) e.append(out, fill);
  e.append(out, text);
  for (int64_t i = before; i < room; ++i) e.append(out, fill);
  return out;
}

std::vector<Span> split_lines(Evaluator& e, const Text& text, bool keep_ends) {
  std::vector<Span> lines;
  const std::string& bytes = text.bytes();
  e.budget.work(bytes.size());
  size_t begin = 0;
  for (size_t i = 0; i < bytes.size();) {
    const Utf8Char c = decode_utf8(bytes.data() + i);
    size_t end = i + c.size;
    if (is_line_end(c.code)) {
      if (c.code == '\r' && end < bytes.size() && bytes[end] == '\n') ++end;
      lines.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(keep_ends ? end : i)});
      begin = end;
    }
    i = end;
  }
  if (begin < bytes.size()) lines.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(bytes.size())});
  e.budget.step(lines.size());
  return lines;
}

Text join(Evaluator& e, const Text& separator, const std::vector<Value>& items) {
  Text out;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) e.append(out, separator);
    e.append(out, e.text_of(items[i]));
  }
  return out;
}

}  // namespace quern::chat
