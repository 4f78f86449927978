// Where one HTTP/1.1 request ends and the next begins (RFC 9112), from bytes as they come. Refuses what proxies and
// servers might read differently. Everything a client sends goes through here first: fuzzed.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "refusal.h"

namespace server {

// ASCII: names of fields, hosts and schemes are the same in any case.
std::string lower(std::string_view text);

struct FramingLimits {
  size_t head = 16 << 10, body = 32 << 20;  // bytes
};

// A body in chunks, piece by piece.
class Dechunker {
 public:
  // Takes what it can of `bytes`, and adds data to `body`; how many bytes it took. Throws Refusal.
  size_t feed(std::string_view bytes, std::string& body, size_t most);
  bool done() const { return state_ == State::done; }

 private:
  enum class State { size, data, data_end, trailer, done };
  State state_ = State::size;
  std::string line_;
  size_t left_ = 0, trailers_ = 0;
};

class RequestFramer {
 public:
  explicit RequestFramer(const FramingLimits& limits) : limits_(limits) {}

  // Adds bytes as they came. Throws Refusal.
  void feed(std::string_view bytes);
  bool begun() const { return !in_.empty() || in_body_; }
  bool in_body() const { return in_body_; }
  bool complete() const { return complete_; }
  // The client waits for "100 Continue" before it sends its body. True once a request.
  bool take_expectation();
  size_t buffered() const { return in_.size() + body_.size(); }

  // Of a complete request: the head, without the fields that framing has dealt with, and the body.
  std::string take_head() { return std::move(head_); }
  const std::string& head() const { return head_; }  // whole once in_body()
  std::string take_body() { return std::move(body_); }
  std::string_view path() const;  // "" while the first line is not there
  // Begins with the next request, of which bytes may be here already. Throws as feed().
  void next();

 private:
  void read_head(std::string_view head);
  void read_first_line(std::string_view line);
  void read_field(std::string_view line);
  void go_on();

  FramingLimits limits_;
  std::string in_;  // not yet looked at
  std::string head_, body_;
  bool in_body_ = false, complete_ = false, chunked_ = false, has_length_ = false, expects_ = false;
  bool has_host_ = false, absolute_ = false;  // absolute: the target names the host, and the field does not count
  size_t length_ = 0, empty_lines_ = 0;       // of the body; before the request
  Dechunker dechunker_;
};

}  // namespace server
