// Names in a message: "cls, max, mean or last".
#pragma once
#include <iterator>
#include <string>

namespace quern {

// Of rows that have a name; last_word stands before the last of several.
template <class Rows>
std::string list_names(const Rows& rows, const char* last_word) {
  std::string text;
  const size_t n = std::size(rows);
  size_t i = 0;
  for (const auto& row : rows) {
    if (i > 0) text += i + 1 == n ? std::string(" ") + last_word + ' ' : ", ";
    text += row.name;
    ++i;
  }
  return text;
}

}  // namespace quern
