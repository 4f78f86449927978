#include "http_server.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <stdexcept>
#include <utility>

#include "connection.h"
#include "http_parser.h"

namespace server {
namespace {

// For a client to read why it was refused, before the connection is reset: without a byte of it, and in all.
constexpr int kLingerSeconds = 2, kMostLingerSeconds = 10;
constexpr size_t kTimesInMemory = 3;  // that a large body's bytes are there while it is worked on
// Where there is no memory for words of its own.
constexpr std::string_view kNoMemoryAnswer =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 125\r\nRetry-After: 1\r\n"
    "Connection: close\r\n\r\n"
    "{\"error\":{\"message\":\"out of "
    "memory\",\"type\":\"unavailable_error\",\"param\":null,\"code\":\"out_of_memory\"},"
    "\"error_type\":\"Unhealthy\"}";
constexpr size_t kReadBytes = 64 << 10;
constexpr size_t kEvents = 256;
constexpr int kTickMs = 250;

// What a head asks for, before httplib reads it with its body. Framing has checked its form.
httplib::Request request_of(const std::string& head) {
  httplib::Request request;
  const size_t line_end = head.find("\r\n"), method_end = head.find(' '), target_end = head.rfind(' ', line_end);
  request.method = head.substr(0, method_end);
  request.target = head.substr(method_end + 1, target_end - method_end - 1);
  request.version = head.substr(target_end + 1, line_end - target_end - 1);
  request.path = httplib::detail::decode_url(request.target.substr(0, request.target.find('?')), false);
  for (size_t at = line_end + 2; at < head.size();) {
    const size_t end = head.find("\r\n", at), colon = head.find(':', at);
    if (end == at || end == std::string::npos || colon > end) break;
    const size_t begin = std::min(head.find_first_not_of(" \t", colon + 1), end);
    const size_t last = head.find_last_not_of(" \t", end - 1);
    request.headers.emplace(head.substr(at, colon - at), head.substr(begin, last < begin ? 0 : last + 1 - begin));
    at = end + 2;
  }
  return request;
}

}  // namespace

HttpServer::HttpServer(const HttpLimits& limits)
    : limits_(limits),
      parser_(std::make_unique<Parser>()),
      poller_(os::new_poller()),
      received_(limits.small_buffered, limits.buffered),
      unsent_(limits.small_unsent, limits.all_unsent) {
  parser_->keep_alive_seconds(limits.idle_seconds);
  parser_->set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
    const std::weak_ptr<Connection> current = Connection::current->weak_from_this();
    Exchange exchange(*Connection::current, request, response, [this, current] {
      if (const Shared c = current.lock()) call_producer(c);
    });
    application_->handle(exchange);
    return httplib::Server::HandlerResponse::Handled;
  });
  // What httplib refuses by itself: a first line that it cannot read.
  parser_->set_error_handler([this](const httplib::Request& request, httplib::Response& response) {
    if (!response.body.empty()) return;
    const Refusal refusal{response.status == 414 ? Reason::head_size : Reason::malformed,
                          "malformed HTTP request: its first line"};
    const httplib::Response made = application_->refuse(refusal, request.path, request.remote_addr);
    response.status = made.status;
    response.set_content(made.body, "application/json");
  });
  workers_ = std::make_unique<WorkerPool>(limits.workers);
  quick_ = std::make_unique<WorkerPool>(2, 2);
  producers_ = std::make_unique<WorkerPool>(limits.producers);
}

HttpServer::~HttpServer() {
  std::vector<Shared> open;
  for (const auto& [fd, c] : connections_) open.push_back(c);
  for (const Shared& c : open) close(c);  // its producer ends without an answer
  for (const auto& pool : {&workers_, &quick_, &producers_}) (*pool)->stop();
  if (listener_ >= 0) os::close_socket(listener_);
}

int HttpServer::bind(const std::string& host, int port) {
  listener_ = os::listen_on(host, port);
  return port;
}

void HttpServer::stop() {
  stopping_ = true;
  wake();
}

void HttpServer::wake() {
  poller_->wake();
}

int64_t HttpServer::in_seconds(int seconds) const {
  return now_ms() + int64_t{1000} * seconds;
}

void HttpServer::run(Application& application, int drain_seconds) {
  application_ = &application;
  poller_->add(listener_, os::kReadable);
  os::Ready ready[kEvents];
  int64_t next_sweep = 0, drained_by = INT64_MAX;
  bool drains = false;
  while (true) {
    const size_t n = poller_->wait(ready, kEvents, kTickMs);
    bool accepts = false;
    for (size_t i = 0; i < n; ++i) {
      if (ready[i].socket == listener_)
        accepts = true;
      else if (const auto at = connections_.find(ready[i].socket); at != connections_.end())
        on_event(Shared(at->second), ready[i].events);
    }
    take_finished();
    if (stopping_ && !std::exchange(drains, true)) {
      drained_by = drain_seconds > 0 ? in_seconds(drain_seconds) : INT64_MAX;
      close_idle();
    }
    if (accepts) accept_new();  // last: a descriptor that was closed above may come again
    if (now_ms() < next_sweep) continue;
    sweep();
    next_sweep = now_ms() + kTickMs;
    if (!drains) continue;
    close_idle();
    // Who came until now is answered: what the system has taken for us too.
    if (now_ms() > drained_by || (!busy() && accept_new() == 0)) return;
  }
}

// What is thrown here concerns one connection: there is no memory for it.
void HttpServer::on_event(const Shared& c, unsigned events) {
  try {
    if (!go_on_sending(c, events)) on_readable(c);
  } catch (const std::exception&) {
    fail(c);
  }
}

void HttpServer::on_readable(const Shared& c) {
  char bytes[kReadBytes];
  const int64_t n = os::receive(c->fd, bytes, sizeof bytes);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return close(c);
  if (c->state == Connection::State::lingering) {  // thrown away
    if (!stopping_) c->deadline = std::min(in_seconds(kLingerSeconds), c->begun + 1000 * kMostLingerSeconds);
    return;
  }
  const bool begun = c->framer.begun();
  try {
    c->framer.feed({bytes, static_cast<size_t>(n)});
    if (const auto refusal = admit(*c)) return send_and_close(c, *refusal);
    const size_t came = c->framer.buffered();
    c->received.set(c->framer.complete() && came > kSmall ? kTimesInMemory * came : came);
    if (!fits(c)) throw Refusal{Reason::overloaded, "too many large requests at once"};
  } catch (const Refusal& refusal) {
    return refuse(c, refusal);
  }
  if (!begun) c->deadline = in_seconds(limits_.head_seconds);
  if (c->framer.in_body()) on_body(*c);
  if (c->framer.complete()) return dispatch(c);
  constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
  if (c->framer.in_body() && c->framer.take_expectation()) os::send_some(c->fd, go_on.data(), go_on.size());
}

// A request whose head is here and whose body is to come: what is said instead of waiting for that.
std::optional<httplib::Response> HttpServer::admit(Connection& c) {
  if (!c.framer.in_body() || c.framer.complete() || std::exchange(c.admitted, true)) return std::nullopt;
  c.begun = c.came_at = now_ms();
  c.came = 0;
  return application_->turn_away(request_of(c.framer.head()), c.late, c.address);
}

// A body has to come at a rate, on the whole and in each of its parts.
void HttpServer::on_body(Connection& c) {
  const size_t n = c.framer.buffered();
  if (n >= c.came + kSmall) {
    c.came = n;
    c.came_at = now_ms();
  }
  const int64_t whole = c.begun + 1000 * (limits_.body_seconds + static_cast<int64_t>(n >> 16));
  c.deadline = std::min(whole, c.came_at + 1000 * limits_.body_seconds);
}

void HttpServer::refuse(const Shared& c, const Refusal& refusal) {
  send_and_close(c, application_->refuse(refusal, c->framer.path(), c->address));
}

void HttpServer::send_and_close(const Shared& c, const httplib::Response& made) {
  send_and_linger(
      c, head_text(made, false, limits_.idle_seconds, static_cast<int64_t>(made.body.size()), false) + made.body);
}

void HttpServer::fail(const Shared& c) {
  const Connection::State state = c->state.load(std::memory_order_acquire);
  if (state == Connection::State::waiting || c->failed) return send_and_linger(c, kNoMemoryAnswer);
  close(c);
}

// Says why, and closes once the client had time to read it: closing at once, with bytes of the request unread, would
// reset the connection and lose the answer.
void HttpServer::send_and_linger(const Shared& c, std::string_view text) {
  os::send_some(c->fd, text.data(), text.size());
  os::end_sending(c->fd);
  c->state = Connection::State::lingering;
  c->received.set(0);
  c->framer = RequestFramer(limits_.framing);
  c->begun = now_ms();
  c->deadline = in_seconds(kLingerSeconds);
  watch(*c, os::kReadable | os::kEnded);
}

// After the last answer: likewise, where the client has sent what nobody reads.
void HttpServer::finish(const Shared& c) {
  if (c->gone || !os::has_unread(c->fd)) return close(c);
  send_and_linger(c, {});
}

void HttpServer::sweep() {
  const int64_t now = now_ms();
  std::vector<Shared> late, starved;
  for (const auto& [fd, c] : connections_) {
    switch (c->state.load(std::memory_order_acquire)) {
      case Connection::State::answering:
        break;
      case Connection::State::sending: {
        std::lock_guard lock(c->sending);
        if (c->waits.bytes() > 0 && now - c->taken_at > int64_t{1000} * limits_.write_seconds) late.push_back(c);
        if (c->starved && c->unsent.empty() && !c->producing) starved.push_back(c);
        break;
      }
      case Connection::State::broken:
        late.push_back(c);
        break;
      default:
        if (c->deadline <= now) late.push_back(c);
    }
  }
  for (const Shared& c : starved) call_producer(c);
  if (accepts_at_ != 0 && now >= accepts_at_) listen_again();
  if (crowded_) drop_slow_readers();
  for (const Shared& c : late) {
    if (c->closed) continue;
    if (c->failed)
      fail(c);
    else if (c->state == Connection::State::waiting && c->framer.begun())
      refuse(c, {Reason::too_slow, "the request came too slowly"});
    else
      close(c);
  }
}

void HttpServer::close_idle() {
  std::vector<Shared> idle;
  for (const auto& [fd, c] : connections_)
    if (c->state.load(std::memory_order_acquire) == Connection::State::waiting && !c->framer.begun() && !c->late)
      idle.push_back(c);
  for (const Shared& c : idle)
    if (!os::has_unread(c->fd)) close(c);
}

// Whether a request has come or begun, or is being answered or refused.
bool HttpServer::busy() const {
  for (const auto& [fd, c] : connections_)
    if (c->state.load(std::memory_order_acquire) != Connection::State::waiting || c->framer.begun() ||
        os::has_unread(fd))
      return true;
  return false;
}

void HttpServer::close(const Shared& c) {
  std::shared_ptr<Producer> producer;
  {
    std::lock_guard lock(c->sending);
    c->closed = true;
    c->gone = true;
    c->unsent = {};
    c->sent = 0;
    c->waits.set(0);
    producer = std::move(c->producer);
    c->producer = nullptr;
    c->received.set(0);
    connections_.erase(c->fd);
    open_ = connections_.size();
    poller_->remove(c->fd);
    os::close_socket(c->fd);
  }
  if (--c->peer->connections == 0) peers_.erase(c->peer->address);
  if (accepts_at_ != 0 && !stopping_) accepts_at_ = std::min(accepts_at_, now_ms());
  if (!producer) return;
  producer->cancel();
  discard(std::move(producer));
}

}  // namespace server
