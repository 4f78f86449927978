// See plain_spans.h.
#include "plain_spans.h"

#include <algorithm>

#include "error.h"

namespace quern {
void check_plain_spans(std::span<const Span> plain, size_t text_size) {
  size_t done = 0;
  for (const Span& span : plain) {
    if (span.begin < done || span.end < span.begin || span.end > text_size)
      throw Error(Status::bad_argument, "plain spans should be in order and within the text's " +
                                            std::to_string(text_size) + " bytes, but one is " +
                                            std::to_string(span.begin) + " to " + std::to_string(span.end));
    done = span.end;
  }
}

void move_to_copy(std::vector<Span>& plain, const RepairedUtf8& repaired) {
  if (plain.empty()) return;
  const std::string_view copy = repaired.text();
  std::vector<Span> moved;
  for (uint32_t i = 0; i < copy.size();) {
    const uint32_t end = i + static_cast<uint32_t>(utf8_size(copy[i]));
    if (touches_plain(plain, {repaired.original(i), repaired.original(end)})) {
      if (moved.empty() || moved.back().end != i) moved.push_back({i, i});
      moved.back().end = end;
    }
    i = end;
  }
  plain.swap(moved);
}

bool touches_plain(std::span<const Span> plain, Span range) {
  const bool no_bytes = range.begin == range.end;
  const uint32_t begin = no_bytes && range.begin > 0 ? range.begin - 1 : range.begin, end = range.end + no_bytes;
  const auto after =
      std::partition_point(plain.begin(), plain.end(), [begin](const Span& span) { return span.end <= begin; });
  return after != plain.end() && after->begin < end;
}

}  // namespace quern
