#include "http_server.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <stdexcept>
#include <utility>

#include "connection.h"
#include "http_parser.h"

namespace server {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

constexpr int kLingerSeconds = 2;  // for a client to read why it was refused, before the connection is reset
constexpr size_t kReadBytes = 64 << 10;
constexpr int kEvents = 256;
constexpr int kTickMs = 250;
constexpr int kKernelBytes =
    128 << 10;  // that the system keeps for a client which does not read, beside what is on its way

}  // namespace

HttpServer::HttpServer(const HttpLimits& limits, Handler handler, Refuse refuse)
    : limits_(limits), handler_(std::move(handler)), refuse_(std::move(refuse)), parser_(std::make_unique<Parser>()) {
  parser_->keep_alive_seconds(limits.idle_seconds);
  parser_->set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
    const std::weak_ptr<Connection> current = Connection::current->weak_from_this();
    Exchange exchange(*Connection::current, request, response, [this, current] {
      if (const Shared c = current.lock()) call_producer(c);
    });
    handler_(exchange);
    return httplib::Server::HandlerResponse::Handled;
  });
  // What httplib refuses by itself: a first line that it cannot read.
  parser_->set_error_handler([this](const httplib::Request& request, httplib::Response& response) {
    if (!response.body.empty()) return;
    const Refusal refusal{response.status == 414 ? Reason::head_size : Reason::malformed,
                          "malformed HTTP request: its first line"};
    const httplib::Response made = refuse_(refusal, request.path);
    response.status = made.status;
    response.set_content(made.body, "application/json");
  });
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  wakeup_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (epoll_ < 0 || wakeup_ < 0) fail("cannot wait for connections");
  epoll_event event{.events = EPOLLIN, .data = {.fd = wakeup_}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, wakeup_, &event);
  workers_ = std::make_unique<WorkerPool>(limits.workers);
  producers_ = std::make_unique<WorkerPool>(limits.producers);
}

HttpServer::~HttpServer() {
  std::vector<Shared> open;
  for (const auto& [fd, c] : connections_) open.push_back(c);
  for (const Shared& c : open) close(c);  // its producer ends without an answer
  workers_->stop();
  producers_->stop();
  for (const int fd : {listener_, epoll_, wakeup_})
    if (fd >= 0) ::close(fd);
}

int HttpServer::bind(const std::string& host, int port) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  if (const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found))
    throw std::runtime_error("--host " + host + ": " + gai_strerror(error));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
  listener_ = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener_ < 0) fail("cannot make a socket");
  const int on = 1;
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(listener_, found->ai_addr, found->ai_addrlen) < 0 || listen(listener_, 4096) < 0)
    fail("cannot listen on " + host + ":" + std::to_string(port));
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

void HttpServer::stop() {
  stopping_ = true;
  wake();
}

void HttpServer::wake() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = write(wakeup_, &one, sizeof one);
}

int64_t HttpServer::in_seconds(int seconds) const {
  return now_ms() + int64_t{1000} * seconds;
}

void HttpServer::run(int drain_seconds) {
  epoll_event event{.events = EPOLLIN, .data = {.fd = listener_}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event);
  epoll_event events[kEvents];
  int64_t next_sweep = 0, drained_by = INT64_MAX;
  bool drains = false;
  while (true) {
    const int n = epoll_wait(epoll_, events, kEvents, kTickMs);
    bool accepts = false;
    for (int i = 0; i < n; ++i) {
      const int fd = events[i].data.fd;
      if (fd == listener_) {
        accepts = true;
      } else if (fd == wakeup_) {
        uint64_t count;
        [[maybe_unused]] const ssize_t got = read(wakeup_, &count, sizeof count);
      } else if (const auto at = connections_.find(fd); at != connections_.end()) {
        on_event(Shared(at->second), events[i].events);
      }
    }
    take_finished();
    if (stopping_ && !std::exchange(drains, true)) {
      drained_by = drain_seconds > 0 ? in_seconds(drain_seconds) : INT64_MAX;
      close_idle();
    }
    if (accepts) accept_new();  // last: a descriptor that was closed above may come again
    if (now_ms() >= next_sweep) {
      sweep();
      next_sweep = now_ms() + kTickMs;
      if (drains && (now_ms() > drained_by || !busy())) return;
    }
  }
}

void HttpServer::accept_new() {
  for (int i = 0; i < kEvents; ++i) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    const int fd = accept4(listener_, reinterpret_cast<sockaddr*>(&address), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;  // none left, or no descriptors: later ones may be closed first
    if (connections_.size() >= limits_.connections) {
      ::close(fd);
      continue;
    }
    const int on = 1, kept = kKernelBytes;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kept, sizeof kept);
    const auto c = std::make_shared<Connection>(fd, limits_.framing, address, length);
    c->late = stopping_;
    c->deadline = in_seconds(limits_.head_seconds);
    connections_[fd] = c;
    open_ = connections_.size();
    epoll_event event{.events = EPOLLIN | EPOLLRDHUP, .data = {.fd = fd}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }
}

// What is thrown here concerns one connection: there is no memory for it.
void HttpServer::on_event(const Shared& c, uint32_t events) {
  try {
    if (!go_on_sending(c, events)) on_readable(c);
  } catch (const std::exception&) {
    close(c);
  }
}

void HttpServer::on_readable(const Shared& c) {
  char bytes[kReadBytes];
  const ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return close(c);
  if (c->state == Connection::State::lingering) return;  // thrown away
  const bool begun = c->framer.begun(), in_body = c->framer.in_body();
  try {
    c->framer.feed({bytes, static_cast<size_t>(n)});
    c->hold(buffered_, c->framer.buffered());
    if (buffered_ > limits_.buffered) throw Refusal{Reason::overloaded, "too many large requests at once"};
  } catch (const Refusal& refusal) {
    return refuse(c, refusal);
  }
  if (!begun) c->deadline = in_seconds(limits_.head_seconds);
  if (!in_body && c->framer.in_body()) c->body_begun = now_ms();
  if (c->framer.in_body())
    c->deadline = c->body_begun + 1000 * (limits_.body_seconds + static_cast<int64_t>(c->framer.buffered() >> 16));
  if (c->framer.complete()) return dispatch(c);
  constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
  if (c->framer.in_body() && c->framer.take_expectation()) send(c->fd, go_on.data(), go_on.size(), MSG_NOSIGNAL);
}

// Says why, and closes once the client had time to read it: closing at once, with bytes of the request unread, would
// reset the connection and lose the answer.
void HttpServer::refuse(const Shared& c, const Refusal& refusal) {
  const httplib::Response made = refuse_(refusal, c->framer.path());
  const std::string text =
      head_text(made, false, limits_.idle_seconds, static_cast<int64_t>(made.body.size()), false) + made.body;
  send(c->fd, text.data(), text.size(), MSG_NOSIGNAL);
  shutdown(c->fd, SHUT_WR);
  c->state = Connection::State::lingering;
  c->hold(buffered_, 0);
  c->deadline = in_seconds(kLingerSeconds);
  watch(*c, EPOLLIN | EPOLLRDHUP);
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
        if (c->unsent.size() > c->sent && now - c->taken_at > int64_t{1000} * limits_.write_seconds) late.push_back(c);
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
  for (const Shared& c : late) {
    if (c->state == Connection::State::waiting && c->framer.begun())
      refuse(c, {Reason::too_slow, "the request came too slowly"});
    else
      close(c);
  }
}

void HttpServer::close_idle() {
  std::vector<Shared> idle;
  for (const auto& [fd, c] : connections_)
    if (c->state.load(std::memory_order_acquire) == Connection::State::waiting && !c->framer.begun()) idle.push_back(c);
  for (const Shared& c : idle) close(c);
}

// Whether a request has begun, or is being answered or refused.
bool HttpServer::busy() const {
  for (const auto& [fd, c] : connections_)
    if (c->state.load(std::memory_order_acquire) != Connection::State::waiting || c->framer.begun()) return true;
  return false;
}

void HttpServer::close(const Shared& c) {
  std::shared_ptr<Producer> producer;
  {
    std::lock_guard lock(c->sending);
    c->closed = true;
    c->gone = true;
    unsent_ -= c->unsent.size() - c->sent;
    c->unsent.clear();
    c->sent = 0;
    producer = std::move(c->producer);
    c->producer = nullptr;
    c->hold(buffered_, 0);
    connections_.erase(c->fd);
    open_ = connections_.size();
    ::close(c->fd);  // which takes it out of epoll
  }
  if (!producer) return;
  producer->cancel();
  discard(std::move(producer));
}

}  // namespace server
