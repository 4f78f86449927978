// Connections: one thread waits on all of them until a request is whole, then a worker answers it, and what the client
// does not take at once the waiting thread sends. A connection that is idle, or slow to send or to read, costs no
// thread. httplib parses the head and writes whole answers.
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
  int head_seconds = 10;                  // from a request's first byte to the end of its head
  int body_seconds = 20;                  // for its body, and a second more for each 64 KiB that came
  int idle_seconds = 75;                  // between requests
  int write_seconds = 30;                 // without a byte taken by the client, while there are some
  size_t unsent = 256 << 10;              // bytes of one answer that waits to be sent: a producer has to wait then
  size_t all_unsent = size_t{512} << 20;  // of all together: producers wait, and whole answers are refused
  size_t connections = 16384;             // beyond it new ones are closed at once
  size_t workers = 1280;                  // requests that are being answered
  size_t producers = 16;                  // threads for answers in parts, none of which ever waits
  size_t buffered = size_t{512} << 20;    // bytes of all requests together
};

struct Connection;
class Producer;

// A request that a worker answers.
class Exchange {
 public:
  Exchange(Connection& connection, const httplib::Request& request, httplib::Response& response,
           std::function<void()> waker);
  const httplib::Request& request;
  httplib::Response& response;
  const Clock::time_point arrived;

  std::string_view body() const;
  // The connection came after stop().
  bool late() const;
  // Set once the client has closed its end, and whatever is made would be thrown away. Valid until the answer is sent.
  const std::atomic<bool>& gone() const;
  // An answer in parts, in place of what stands in `response`; the handler returns then.
  void produce(std::shared_ptr<Producer> producer);
  bool produces() const;
  // Calls the producer again, from any thread: it has more to say. Does nothing once the answer has ended.
  std::function<void()> waker() const { return waker_; }
  // What is done to every answer, a producer's too, once its status and headers are known.
  std::function<void(httplib::Response&)> finish = [](httplib::Response&) {};

 private:
  Connection& connection_;
  const std::function<void()> waker_;
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
  size_t unsent() const { return unsent_; }  // bytes

 private:
  class Parser;
  using Shared = std::shared_ptr<Connection>;
  void wake();
  void accept_new();
  void on_readable(const Shared& c);
  void advance(const Shared& c);
  void dispatch(const Shared& c);
  void on_event(const Shared& c, uint32_t events);
  // http_answers.cpp: answers on their way out.
  void answer(const Shared& c);
  void hand_over(const Shared& c, bool keep);
  void produce(const Shared& c);
  bool step(const Shared& c, const std::shared_ptr<Producer>& producer);
  void call_producer(const Shared& c);
  bool flush(Connection& c);
  bool go_on_sending(const Shared& c, uint32_t events);
  void next(const Shared& c);
  void give_back(const Shared& c);
  void close_later(const Shared& c, std::optional<Refusal> refusal);
  void discard(std::shared_ptr<Producer> producer);
  void watch(const Connection& c, uint32_t events);
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
  std::atomic<size_t> open_{0}, buffered_{0}, unsent_{0};
  std::unordered_map<int, Shared> connections_;  // by descriptor; of the waiting thread
  std::mutex finished_mutex_;
  std::vector<std::pair<Shared, std::optional<Refusal>>> finished_;  // to close, or to refuse and close
  std::unique_ptr<WorkerPool> workers_, producers_;                  // last: they end before what they use
};

}  // namespace server
