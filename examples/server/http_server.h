// Connections: one thread waits on all of them until a request is whole, then a worker answers it, and what the client
// does not take at once the waiting thread sends. A connection that is idle, or slow to send or to read, costs no
// thread. httplib parses the head and writes whole answers.
#pragma once
#include <httplib.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "budget.h"
#include "framing.h"
#include "os/poller.h"
#include "os/sockets.h"
#include "worker_pool.h"

namespace server {

using Clock = std::chrono::steady_clock;

struct HttpLimits {
  FramingLimits framing;
  int head_seconds = 10;      // from a request's first byte to the end of its head
  int body_seconds = 20;      // for its body, and a second more for each 64 KiB that came; and for each 64 KiB of it
  int idle_seconds = 75;      // between requests
  int write_seconds = 30;     // in which a client has to take 64 KiB of what waits for it, or all
  size_t unsent = 256 << 10;  // bytes of one answer that waits to be sent: a producer has to wait then
  size_t all_unsent = size_t{512} << 20;    // of all large ones together: producers wait, and whole answers are refused
  size_t small_unsent = size_t{256} << 20;  // of all small ones
  size_t connections = 16384;               // beyond it those make room that were idle longest
  size_t workers = 1280;                    // requests that are being answered
  size_t producers = 16;                    // threads for answers in parts, none of which ever waits
  size_t buffered = size_t{1} << 30;        // bytes of all large requests together, and of what is made of them
  size_t small_buffered = size_t{256} << 20;  // of all small ones
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
  void drop_body();  // it is read, and takes no memory any more
  // Counts memory that a large request takes besides its body, until it is answered. Throws Refusal where all requests
  // together would take too much; small ones have their room.
  void charge(size_t bytes);
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
  size_t charged_ = 0;
};

// What answers requests. From any thread.
class Application {
 public:
  virtual ~Application() = default;
  virtual void handle(Exchange& exchange) = 0;
  // From the head alone, before a body is read: what is sent in place of an answer. late: as Exchange::late.
  virtual std::optional<httplib::Response> turn_away(const httplib::Request& head, bool late,
                                                     const std::string& client) = 0;
  // Whether GETs of a path are answered at once, whatever the workers do.
  virtual bool is_quick(std::string_view path) const = 0;
  // Answers what is no request: path is "" where it isn't known. client: its address.
  virtual httplib::Response refuse(const Refusal& refusal, std::string_view path, const std::string& client) = 0;
};

class HttpServer {
 public:
  // Throws std::exception where the first threads cannot be started.
  explicit HttpServer(const HttpLimits& limits);
  ~HttpServer();

  // port 0: any free one. The port. Throws std::runtime_error.
  int bind(const std::string& host, int port);
  // Requests are answered by `application` until stop(); then what has begun or come is answered, for at most
  // drain_seconds (0: any), and connections that come meanwhile are late.
  void run(Application& application, int drain_seconds);
  void stop();  // from any thread
  bool stopping() const { return stopping_; }
  size_t connections() const { return open_; }
  size_t unsent() const { return unsent_.used(); }      // bytes
  size_t received() const { return received_.used(); }  // bytes of requests
  size_t workers() const { return workers_->threads(); }

 private:
  class Parser;
  using Shared = std::shared_ptr<Connection>;
  struct Finished {
    Shared connection;
    std::optional<httplib::Response> refusal;
  };
  void wake();
  // http_room.cpp: who gets connections and memory.
  size_t accept_new();
  void add(int fd, const os::Remote& remote);
  void pause_accepting();
  void listen_again();
  void make_place();
  bool fits(const Shared& c);
  Shared stalled(const Connection& newcomer, bool of_its_peer);
  void drop_slow_readers();
  // http_server.cpp.
  void on_readable(const Shared& c);
  std::optional<httplib::Response> admit(Connection& c);
  void on_body(Connection& c);
  void dispatch(const Shared& c);
  void on_event(const Shared& c, unsigned events);
  // http_answers.cpp: answers on their way out.
  void answer(const Shared& c);
  void hand_over(const Shared& c, bool keep);
  void produce(const Shared& c);
  bool step(const Shared& c, const std::shared_ptr<Producer>& producer);
  void call_producer(const Shared& c);
  bool has_room(const Connection& c, size_t bytes) const;
  bool flush(Connection& c);
  bool go_on_sending(const Shared& c, unsigned events);
  void next(const Shared& c);
  void give_back(const Shared& c);
  void close_later(const Shared& c) noexcept;
  void refuse_later(const Shared& c, const Refusal& refusal) noexcept;
  void finish_later(Finished finished) noexcept;
  void discard(std::shared_ptr<Producer> producer);
  void watch(const Connection& c, unsigned events);
  void take_finished();
  void refuse(const Shared& c, const Refusal& refusal);
  void send_and_close(const Shared& c, const httplib::Response& response);
  void send_and_linger(const Shared& c, std::string_view text);
  void fail(const Shared& c);
  void finish(const Shared& c);
  void sweep();
  void close_idle();
  bool busy() const;
  void close(const Shared& c);
  int64_t in_seconds(int seconds) const;

  const HttpLimits limits_;
  Application* application_ = nullptr;
  std::unique_ptr<Parser> parser_;
  int listener_ = -1;
  const std::unique_ptr<os::Poller> poller_;
  std::atomic<bool> stopping_{false}, crowded_{false};  // crowded: answers wait for slow readers
  std::atomic<size_t> open_{0};
  Budget received_, unsent_;
  std::unordered_map<int, Shared> connections_;         // by descriptor; of the waiting thread
  std::map<std::string, std::shared_ptr<Peer>> peers_;  // likewise, by address
  int64_t accepts_at_ = 0;                              // likewise: when it accepts again; 0: it does
  std::mutex finished_mutex_;
  std::vector<Finished> finished_;                           // to close, or to refuse and close
  std::unique_ptr<WorkerPool> workers_, quick_, producers_;  // last: they end before what they use
};

}  // namespace server
