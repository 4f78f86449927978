#include "framing.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <utility>

namespace server {
namespace {

[[noreturn]] void malformed(const std::string& what) {
  throw Refusal{Reason::malformed, "malformed HTTP request: " + what};
}

[[noreturn]] void too_large(size_t most) {
  throw Refusal{Reason::body_size, "the request's body is larger than " + std::to_string(most) + " bytes"};
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_name(std::string_view text) {  // RFC 9110's token
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) || std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

// Digits alone, no sign. Throws for more than a size_t holds.
size_t whole_number(std::string_view text, int base, const char* what) {
  size_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n, base);
  if (text.empty() || text.front() == '-' || error != std::errc() || end != text.data() + text.size()) malformed(what);
  return n;
}

constexpr size_t kMostChunkLine = 1024, kMostTrailers = 4096, kMostEmptyLines = 8;
constexpr std::string_view kHeadEnd = "\r\n\r\n";

// "METHOD target HTTP/1.x", one space between them.
void check_first_line(std::string_view line) {
  const size_t a = line.find(' '), b = line.rfind(' ');
  const bool fine = a != std::string_view::npos && a + 1 < b && is_name(line.substr(0, a)) &&
                    line.substr(b + 1).starts_with("HTTP/1.") &&
                    line.find_first_of(std::string_view(" \t\0\r\n", 5), a + 1) == b;
  if (!fine) malformed("its first line");
}

// Fields that framing deals with, and those that ask for answers in ways that are not offered (parts, compression).
constexpr std::string_view dealt_with[] = {"expect", "transfer-encoding", "accept-encoding", "range", "if-range"};

}  // namespace

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

size_t Dechunker::feed(std::string_view bytes, std::string& body, size_t most) {
  size_t at = 0;
  while (at < bytes.size() && state_ != State::done) {
    if (state_ == State::data) {
      const size_t n = std::min(left_, bytes.size() - at);
      body.append(bytes.substr(at, n));
      at += n;
      left_ -= n;
      if (left_ == 0) state_ = State::data_end;
      continue;
    }
    const char c = bytes[at++];
    line_ += c;
    if (line_.size() > kMostChunkLine) malformed("a chunk's size line is too long");
    if (c != '\n') continue;
    if (line_.size() < 2 || line_[line_.size() - 2] != '\r') malformed("a line of a chunked body ends without CR");
    const std::string line = line_.substr(0, line_.size() - 2);
    line_.clear();
    if (state_ == State::data_end) {
      if (!line.empty()) malformed("a chunk is longer than its size");
      state_ = State::size;
    } else if (state_ == State::size) {
      left_ =
          whole_number(trimmed(std::string_view(line).substr(0, line.find(';'))), 16, "a chunk's size is no number");
      if (left_ > most || body.size() + left_ > most) too_large(most);
      state_ = left_ == 0 ? State::trailer : State::data;
    } else {
      trailers_ += line.size() + 2;
      if (trailers_ > kMostTrailers) malformed("its trailers are too long");
      if (line.empty()) state_ = State::done;
    }
  }
  return at;
}

bool RequestFramer::take_expectation() {
  return std::exchange(expects_, false);
}

std::string_view RequestFramer::path() const {
  const std::string_view line = std::string_view(head_.empty() ? in_ : head_).substr(0, 8192);
  const size_t begin = line.find(' ');
  if (begin == std::string_view::npos) return {};
  const size_t end = line.find_first_of(" ?\r\n", begin + 1);
  return end == std::string_view::npos ? std::string_view() : line.substr(begin + 1, end - begin - 1);
}

void RequestFramer::feed(std::string_view bytes) {
  in_.append(bytes);
  if (!complete_) go_on();
}

void RequestFramer::next() {
  head_.clear();
  body_.clear();
  in_body_ = complete_ = chunked_ = has_length_ = expects_ = has_host_ = absolute_ = false;
  length_ = empty_lines_ = 0;
  dechunker_ = {};
  go_on();
}

void RequestFramer::go_on() {
  if (!in_body_) {
    for (; in_.starts_with("\r\n"); in_.erase(0, 2))  // between requests, as RFC 9112 2.2 asks
      if (++empty_lines_ > kMostEmptyLines) malformed("it begins with empty lines");
    const size_t end = in_.find(kHeadEnd);
    // However it is split: of a head that fits, all but the last byte of its end may be here.
    if (end == std::string::npos ? in_.size() >= limits_.head + kHeadEnd.size() : end > limits_.head)
      throw Refusal{Reason::head_size, "the request's head is larger than " + std::to_string(limits_.head) + " bytes"};
    if (end == std::string::npos) return;
    read_head(std::string_view(in_).substr(0, end + 2));
    in_.erase(0, end + 4);
    in_body_ = true;
  }
  if (chunked_) {
    in_.erase(0, dechunker_.feed(in_, body_, limits_.body));
    complete_ = dechunker_.done();
  } else {
    const size_t n = std::min(length_ - body_.size(), in_.size());
    if (body_.empty() && n == in_.size())
      body_.swap(in_);
    else
      body_.append(in_, 0, n), in_.erase(0, n);
    complete_ = body_.size() == length_;
  }
  if (!in_.empty() || complete_) expects_ = false;
}

void RequestFramer::read_head(std::string_view head) {
  const size_t line_end = head.find("\r\n");
  const std::string_view first = head.substr(0, line_end);
  check_first_line(first);
  read_first_line(first);
  for (size_t at = line_end + 2; at < head.size();) {
    const size_t end = head.find("\r\n", at);
    read_field(head.substr(at, end - at));
    at = end + 2;
  }
  if (!has_host_ && first.ends_with("HTTP/1.1")) malformed("it has no Host field");
  if (chunked_ && has_length_) malformed("it has both Content-Length and Transfer-Encoding");
  if (length_ > limits_.body) too_large(limits_.body);
  head_ += "\r\n";
}

// A target in absolute form, as for a proxy, becomes its path, and the host in it the request's (RFC 9112 3.2.2).
void RequestFramer::read_first_line(std::string_view line) {
  const size_t begin = line.find(' ') + 1, end = line.rfind(' ');
  std::string_view target = line.substr(begin, end - begin);
  const size_t scheme = target.find("://");
  const std::string name = scheme == std::string_view::npos ? std::string() : lower(target.substr(0, scheme));
  if (name != "http" && name != "https") return void(head_.assign(line).append("\r\n"));
  target.remove_prefix(scheme + 3);
  const size_t path = std::min(target.find_first_of("/?"), target.size());
  const std::string_view host = target.substr(0, path);
  if (host.empty() || host.find('@') != std::string_view::npos) malformed("the host in its first line");
  target.remove_prefix(path);
  head_.assign(line.substr(0, begin)).append(target.starts_with('/') ? "" : "/").append(target);
  head_.append(line.substr(end)).append("\r\nHost: ").append(host).append("\r\n");
  absolute_ = true;
}

void RequestFramer::read_field(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_name(line.substr(0, colon))) malformed("a header field's name");
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (value.find_first_of(std::string_view("\0\r\n", 3)) != std::string_view::npos) malformed("a header field's value");
  const std::string name = lower(line.substr(0, colon));
  if (name == "content-length") {
    if (has_length_) malformed("it has two Content-Length fields");
    has_length_ = true;
    length_ = whole_number(value, 10, "Content-Length is no number");
  } else if (name == "transfer-encoding") {
    if (chunked_ || lower(value) != "chunked") malformed("Transfer-Encoding is not chunked");
    chunked_ = true;
  } else if (name == "host") {
    if (std::exchange(has_host_, true)) malformed("it has two Host fields");
    if (absolute_) return;
  } else if (name == "expect") {
    expects_ = lower(value) == "100-continue";
  }
  if (std::find(std::begin(dealt_with), std::end(dealt_with), name) == std::end(dealt_with))
    head_.append(line).append("\r\n");
}

}  // namespace server
