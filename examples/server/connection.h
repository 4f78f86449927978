// One client's connection: what httplib reads and writes of it, and the answer on its way out.
#pragma once
#include <httplib.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "budget.h"
#include "framing.h"
#include "os/sockets.h"

namespace server {

// Where an answer in parts goes; a Producer's, while it is called.
class Outlet {
 public:
  // room: bytes that may be written before it is full. keep: the connection stays open behind the answer.
  Outlet(size_t room, bool chunked, bool keep, int idle_seconds)
      : room_(room), chunked_(chunked), keep_(keep), idle_seconds_(idle_seconds) {}

  // More is wanted once the client has read some: the producer is called again then.
  bool full() const { return out_.size() >= room_; }
  void answer(const httplib::Response& whole);  // all of it; nothing else may be written
  void begin(const httplib::Response& head);    // first, and once in an answer
  void write(std::string_view part);
  void end();

  std::string take() { return std::move(out_); }
  bool ended() const { return ended_; }

 private:
  const size_t room_;
  const bool chunked_, keep_;
  const int idle_seconds_;
  std::string out_;
  bool ended_ = false;
};

// Makes an answer in parts. It holds no thread while there is nothing to say, or nobody who reads.
class Producer {
 public:
  virtual ~Producer() = default;
  // Writes what there is, and ends it if that was all; never waits. On a worker, one at a time.
  virtual void produce(Outlet& out) = 0;
  // Nobody reads what follows. From any thread; never waits for a worker.
  virtual void cancel() = 0;
};

// A head as httplib writes it; body_size < 0: in parts.
std::string head_text(const httplib::Response& response, bool keep, int idle_seconds, int64_t body_size, bool chunked);

struct Connection : std::enable_shared_from_this<Connection> {
  // Whose it is: answering: a worker's; sending: bytes or a producer are on their way, whoever holds `sending` may go
  // on; else the waiting thread's.
  enum class State : uint8_t { waiting, answering, sending, lingering, broken };

  Connection(int fd, const FramingLimits& limits, const os::Remote& remote, std::shared_ptr<Peer> peer,
             Budget& all_received, Budget& all_unsent);

  void begin_answer();

  const int fd;
  RequestFramer framer;
  std::string address;
  int port = 0;
  const std::shared_ptr<Peer> peer;
  Holding received;  // what of requests is here, and what is made of them
  std::atomic<State> state{State::waiting};
  std::atomic<int64_t> deadline{0};  // steady milliseconds
  int64_t begun = 0;                 // likewise: the body; the connection's end, where it lingers
  int64_t came_at = 0;               // likewise: when the last 64 KiB of a body had come
  size_t came = 0;                   // bytes of it until then
  bool admitted = false;             // a request whose body comes may come
  std::atomic<bool> failed{false};   // there was no memory for the answer
  std::atomic<bool> gone{false};
  bool late = false;                              // it came when the server was to stop already
  std::chrono::steady_clock::time_point arrived;  // of the request that is being answered
  std::string head, body, out;
  size_t head_read = 0;
  std::shared_ptr<Producer> offered;  // by the handler, in place of what it answers

  // Of the answer, under `sending` from when a worker hands it over.
  std::mutex sending;
  std::string unsent;
  size_t sent = 0;  // of unsent
  Holding waits;    // what of it is not sent
  bool keep = true, chunked = true;
  bool ended = false;    // nothing follows what is unsent
  bool closed = false;   // the descriptor is another's
  bool armed = false;    // the waiting thread hears when the socket takes more
  int64_t taken_at = 0;  // steady milliseconds, when the client had last taken 64 KiB, or all there was
  size_t taken = 0;      // bytes since then
  std::shared_ptr<Producer> producer;
  bool producing = false, again = false;  // on a worker; it is to be called once more
  bool starved = false;                   // it has more to say than there was room for

  static thread_local Connection* current;  // that this worker answers
};

// Reads a head that is there already; collects the answer.
class ConnectionStream final : public httplib::Stream {
 public:
  explicit ConnectionStream(Connection& connection) : c_(connection) {}
  bool is_readable() const override { return c_.head_read < c_.head.size(); }
  bool is_writable() const override { return !c_.gone; }
  ssize_t read(char* to, size_t size) override;
  ssize_t write(const char* from, size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return static_cast<socket_t>(c_.fd); }

 private:
  Connection& c_;
};

}  // namespace server
