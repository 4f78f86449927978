// Connections: one thread waits on all of them until a request is whole, then a worker answers it. A connection that is
// idle, or slow to send, costs no thread. httplib parses the head and writes the answer.
#pragma once
#include <httplib.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "framing.h"
#include "worker_pool.h"

namespace server {

using Clock = std::chrono::steady_clock;

struct HttpLimits {
  FramingLimits framing;
  int head_seconds = 10;                // from a request's first byte to the end of its head
  int body_seconds = 20;                // for its body, and a second more for each 64 KiB that came
  int idle_seconds = 75;                // between requests
  int write_seconds = 30;               // without a byte taken by the client
  size_t connections = 16384;           // beyond it new ones are closed at once
  size_t workers = 1280;                // requests that are being answered
  size_t buffered = size_t{512} << 20;  // bytes of all requests together
};

struct Connection;

// A request that a worker answers.
class Exchange {
 public:
  Exchange(Connection& connection, const httplib::Request& request, httplib::Response& response);
  const httplib::Request& request;
  httplib::Response& response;
  const Clock::time_point arrived;

  std::string_view body() const;
  // The connection came after stop().
  bool late() const;
  // Set once the client has closed its end, and whatever is made would be thrown away. Valid until the answer is sent.
  const std::atomic<bool>& gone() const;
  // An answer in parts. The producer calls write until it returns false (the client is gone) or there is no more.
  using Write = std::function<bool(std::string_view)>;
  void stream(const char* content_type, std::function<void(const Write&)> producer);

 private:
  Connection& connection_;
};

class HttpServer {
 public:
  using Handler = std::function<void(Exchange&)>;
  // Answers what is no request: path is "" where it isn't known.
  using Refuse = std::function<httplib::Response(const Refusal&, std::string_view path)>;

  HttpServer(const HttpLimits& limits, Handler handler, Refuse refuse);
  ~HttpServer();

  // port 0: any free one. The port. Throws std::runtime_error.
  int bind(const std::string& host, int port);
  // Until stop(); then what has begun is answered, for at most drain_seconds (0: any), and connections that come
  // meanwhile are late.
  void run(int drain_seconds);
  void stop();  // from any thread
  bool stopping() const { return stopping_; }
  size_t connections() const { return open_; }

 private:
  class Parser;
  using Shared = std::shared_ptr<Connection>;
  void wake();
  void handle_events(int n);
  void accept_new();
  void on_readable(const Shared& c);
  void advance(const Shared& c);
  void dispatch(const Shared& c);
  void answer(Shared c);
  void give_back(const Shared& c, bool keep);
  void take_finished();
  void refuse(const Shared& c, const Refusal& refusal);
  void sweep();
  void close_idle();
  bool busy() const;
  void close(const Shared& c);
  int64_t in_seconds(int seconds) const;

  const HttpLimits limits_;
  const Handler handler_;
  const Refuse refuse_;
  std::unique_ptr<Parser> parser_;
  int listener_ = -1, epoll_ = -1, wakeup_ = -1;
  std::atomic<bool> stopping_{false};
  std::atomic<size_t> open_{0}, answering_{0}, buffered_{0};
  std::unordered_map<int, Shared> connections_;  // by descriptor; of the waiting thread
  std::mutex finished_mutex_;
  std::vector<std::pair<Shared, std::optional<Refusal>>> finished_;  // to close, or to refuse and close
  std::unique_ptr<WorkerPool> workers_;                              // last: ends before what it uses
};

}  // namespace server
