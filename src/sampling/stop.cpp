// Knuth, Morris and Pratt's search for each string, which knows at any time how much of the string the text ends with.
#include "stop.h"

#include <algorithm>

#include "error.h"
#include "tokenizers/utf8.h"

namespace quern {
namespace {

[[noreturn]] void fail_stop(const std::string& what) {
  throw Error(Status::bad_argument, "stop: " + what);
}

std::vector<size_t> borders_of(std::string_view text) {
  std::vector<size_t> border(text.size() + 1, 0);
  for (size_t i = 1, length = 0; i < text.size(); ++i) {
    while (length > 0 && text[i] != text[length]) length = border[length];
    if (text[i] == text[length]) ++length;
    border[i + 1] = length;
  }
  return border;
}

}  // namespace

StopStrings::StopStrings(std::vector<std::string> strings, bool include) : include_(include) {
  if (strings.size() > max_strings) {
    fail_stop("there are " + std::to_string(strings.size()) + " strings, expected at most " +
              std::to_string(max_strings));
  }
  for (std::string& text : strings) {
    const std::string which = "string " + std::to_string(matchers_.size());
    if (text.empty()) fail_stop(which + " is empty");
    if (text.size() > max_bytes) {
      fail_stop(which + " has " + std::to_string(text.size()) + " bytes, expected at most " +
                std::to_string(max_bytes));
    }
    if (find_invalid_utf8(text) != text.size()) fail_stop(which + " is not UTF-8");
    std::vector<size_t> border = borders_of(text);
    matchers_.push_back({std::move(text), std::move(border)});
  }
}

bool StopStrings::Matcher::step(char byte) {
  if (n_matched == text.size()) n_matched = border[n_matched];
  while (n_matched > 0 && text[n_matched] != byte) n_matched = border[n_matched];
  if (text[n_matched] == byte) ++n_matched;
  return n_matched == text.size();
}

bool StopStrings::push(std::string_view piece, std::string& out) {
  if (stopped()) return true;
  for (const char byte : piece) {
    held_ += byte;
    for (size_t i = 0; i < matchers_.size(); ++i) {
      const bool ends = matchers_[i].step(byte);
      if (ends && (!which_ || matchers_[i].text.size() > matchers_[*which_].text.size())) which_ = i;
    }
    if (!which_) continue;
    out.append(held_, 0, held_.size() - (include_ ? 0 : matchers_[*which_].text.size()));
    held_.clear();
    return true;
  }
  size_t n_held = unfinished_utf8(held_);
  for (const Matcher& m : matchers_) n_held = std::max(n_held, m.n_matched);
  out.append(held_, 0, held_.size() - n_held);
  held_.erase(0, held_.size() - n_held);
  return false;
}

void StopStrings::flush(std::string& out) {
  out += held_;
  held_.clear();
}

}  // namespace quern
