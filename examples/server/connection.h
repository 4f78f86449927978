// One client's connection, and what httplib reads and writes of it.
#pragma once
#include <httplib.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <string>
#include <string_view>

#include "framing.h"

namespace server {

struct Connection {
  // Whose it is: answering: a worker's, else the waiting thread's.
  enum class State : uint8_t { waiting, answering, lingering };

  Connection(int fd, const FramingLimits& limits, const sockaddr_storage& address, socklen_t length);

  // Counts `bytes` among those that requests take, in place of what it counted before.
  void hold(std::atomic<size_t>& all, size_t bytes) {
    all += bytes - held_;
    held_ = bytes;
  }
  void begin_answer(int write_seconds);
  // Sends what was written. False once that has failed: the client is gone, or takes nothing.
  bool flush();

  const int fd;
  RequestFramer framer;
  std::string peer;
  int peer_port = 0;
  std::atomic<State> state{State::waiting};
  std::atomic<int64_t> deadline{0};  // steady milliseconds
  int64_t body_begun = 0;            // likewise
  std::atomic<bool> gone{false};
  bool late = false;                              // it came when the server was to stop already
  std::chrono::steady_clock::time_point arrived;  // of the request that is being answered
  std::string head, body, out;
  size_t head_read = 0;

  static thread_local Connection* current;  // that this worker answers

 private:
  size_t held_ = 0;
  int write_seconds_ = 0;
  bool failed_ = false;
};

// Reads a head that is there already; collects the answer until it is flushed.
class ConnectionStream final : public httplib::Stream {
 public:
  explicit ConnectionStream(Connection& connection) : c_(connection) {}
  bool is_readable() const override { return c_.head_read < c_.head.size(); }
  bool is_writable() const override { return !c_.gone; }
  ssize_t read(char* to, size_t size) override;
  ssize_t write(const char* from, size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return c_.fd; }

 private:
  Connection& c_;
};

}  // namespace server
