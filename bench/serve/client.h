// Many HTTP/1.1 connections on one thread: requests out, answers with their times in.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace load {

double now();                               // seconds, steady
double cpu_seconds();                       // of this process
std::string quoted(std::string_view text);  // as JSON

struct Answer {
  int status = 0;                        // 0: the connection ended without one
  bool whole = false;                    // and not cut off
  bool closed = false;                   // the connection is gone
  double sent = 0, first = 0, done = 0;  // first: its first bytes, or, of an event stream, its first event
  double tokens = 0;                     // "completion_tokens" of an event stream's usage
  std::string body;                      // of a stream: its last event
};

class Loop {
 public:
  // Throws std::runtime_error.
  Loop(const std::string& host, int port);
  ~Loop();
  int open();
  void send(int connection, std::string request);
  // Until no request is under way. `done` may send more.
  void run(const std::function<void(int connection, const Answer&)>& done);

 private:
  struct Connection {
    std::string out, in;
    size_t out_at = 0;
    bool busy = false, head = false, chunked = false, events = false;
    size_t left = 0;  // of the body
    Answer answer;
  };
  void write(int fd, Connection& c);
  bool read(int fd, Connection& c);  // whether its answer is there
  bool parse(Connection& c);
  bool parse_head(Connection& c);
  void take_body(Connection& c, std::string_view part);

  const std::string host_;
  const int port_;
  int epoll_;
  size_t busy_ = 0;
  std::unordered_map<int, Connection> connections_;
};

}  // namespace load
