// Answers on their way out: made by workers, sent by whoever can, the rest by the waiting thread.
#include <sys/epoll.h>

#include <utility>

#include "connection.h"
#include "http_parser.h"
#include "http_server.h"

namespace server {

int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now().time_since_epoch()).count();
}

Exchange::Exchange(Connection& connection, const httplib::Request& request, httplib::Response& response,
                   std::function<void()> waker)
    : request(request),
      response(response),
      arrived(connection.arrived),
      connection_(connection),
      waker_(std::move(waker)) {}

std::string_view Exchange::body() const {
  return connection_.body;
}
bool Exchange::late() const {
  return connection_.late;
}
const std::atomic<bool>& Exchange::gone() const {
  return connection_.gone;
}
void Exchange::produce(std::shared_ptr<Producer> producer) {
  connection_.chunked = request.version != "HTTP/1.0";  // which has no chunks: the answer ends with the connection
  connection_.offered = std::move(producer);
}
bool Exchange::produces() const {
  return connection_.offered != nullptr;
}

void HttpServer::watch(const Connection& c, uint32_t events) {
  epoll_event event{.events = events, .data = {.fd = c.fd}};
  epoll_ctl(epoll_, EPOLL_CTL_MOD, c.fd, &event);
}

// A whole request is there: by the waiting thread, or by whoever has sent the answer before it.
void HttpServer::dispatch(const Shared& c) {
  {
    std::lock_guard lock(c->sending);
    if (c->closed) return;
    c->state = Connection::State::answering;
    c->armed = false;
    watch(*c, EPOLLRDHUP | EPOLLET);
  }
  workers_->run([this, c] { answer(c); });
}

// On a worker.
void HttpServer::answer(const Shared& c) {
  try {
    c->begin_answer();
    ConnectionStream stream(*c);
    Connection::current = c.get();
    bool closes = false;
    const bool keep = parser_->answer(stream, stopping_, closes) && !closes && !stopping_;
    Connection::current = nullptr;
    c->body.clear();
    c->body.shrink_to_fit();
    c->hold(buffered_, c->framer.buffered());
    hand_over(c, keep);
  } catch (...) {  // out of memory: there is no answer
    Connection::current = nullptr;
    c->offered = nullptr;
    close_later(c, std::nullopt);
  }
}

// From the worker that has made an answer, or found who makes it.
void HttpServer::hand_over(const Shared& c, bool keep) {
  std::shared_ptr<Producer> producer = std::move(c->offered);
  c->offered = nullptr;
  if (producer) {
    c->out.clear();  // what httplib made of an answer without a body
    bool gone = false;
    {
      std::lock_guard lock(c->sending);
      gone = c->gone || c->closed;
      c->keep = keep && c->chunked;
      c->ended = c->again = c->starved = false;
      c->taken_at = now_ms();
      if (!gone) {
        c->producer = producer;
        c->producing = true;
        c->state = Connection::State::sending;
      }
    }
    if (!gone) return produce(c);
    producer->cancel();
    return close_later(c, std::nullopt);
  }
  if (unsent_ > 0 && unsent_ + c->out.size() > limits_.all_unsent) {
    const httplib::Response made = refuse_({Reason::overloaded, "too many answers wait to be read"}, {});
    Outlet out(limits_.unsent, false, keep, limits_.idle_seconds);
    out.answer(made);
    c->out = out.take();
  }
  bool all = false, failed = false;
  {
    std::lock_guard lock(c->sending);
    if (c->closed) return;
    c->keep = keep;
    c->unsent.swap(c->out);
    c->sent = 0;
    unsent_ += c->unsent.size();
    c->ended = true;
    c->taken_at = now_ms();
    c->state = Connection::State::sending;
    failed = !flush(*c);
    all = c->unsent.empty();
    if (all || failed) c->state = Connection::State::answering;  // this worker's again
  }
  if (failed) return close_later(c, std::nullopt);
  if (all) next(c);
}

// Sends what the socket takes; the waiting thread hears when it takes more. False where the client is gone. Its
// `sending` is held, and it is open.
bool HttpServer::flush(Connection& c) {
  while (c.sent < c.unsent.size()) {
    const ssize_t n = send(c.fd, c.unsent.data() + c.sent, c.unsent.size() - c.sent, MSG_NOSIGNAL);
    if (n > 0) {
      c.sent += static_cast<size_t>(n);
      unsent_ -= static_cast<size_t>(n);
      c.taken_at = now_ms();
    } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      if (!std::exchange(c.armed, true)) watch(c, EPOLLOUT | EPOLLRDHUP | EPOLLET);
      break;
    } else if (n == 0 || errno != EINTR) {
      return false;
    }
  }
  if (c.sent == c.unsent.size()) {
    c.unsent.clear();
    c.sent = 0;
    if (c.unsent.capacity() > limits_.unsent) c.unsent.shrink_to_fit();
  } else if (c.sent > limits_.unsent) {  // so that what was sent takes no memory for long
    c.unsent.erase(0, c.sent);
    c.sent = 0;
  }
  return true;
}

// By the waiting thread: whether the event was about an answer.
bool HttpServer::go_on_sending(const Shared& c, uint32_t events) {
  bool drop = false, all = false, more = false;
  {
    std::lock_guard lock(c->sending);
    const Connection::State state = c->state.load(std::memory_order_acquire);
    if (state == Connection::State::broken) return true;
    if (state != Connection::State::answering && state != Connection::State::sending) return false;
    const bool hung_up = events & (EPOLLHUP | EPOLLERR);
    if (hung_up || (events & EPOLLRDHUP)) c->gone = true;
    if (state == Connection::State::answering) return true;
    // A client that has closed its end still gets what is there, but nobody makes more for it.
    drop = hung_up || (c->gone && c->producer) || !flush(*c);
    all = !drop && c->ended && c->unsent.empty();
    if (all) c->state = Connection::State::answering;  // whose next request this thread starts
    more = !drop && c->starved && c->unsent.size() - c->sent < limits_.unsent / 2;
  }
  if (drop)
    close(c);
  else if (all)
    next(c);
  else if (more)
    call_producer(c);
  return true;
}

// Has a worker call the producer, once more if one is just doing so. From any thread; nothing is thrown.
void HttpServer::call_producer(const Shared& c) {
  {
    std::lock_guard lock(c->sending);
    if (c->closed || !c->producer) return;
    c->again = true;
    if (c->producing) return;
    c->producing = true;
  }
  try {
    producers_->run([this, c] { produce(c); });
  } catch (...) {  // no memory: sweep() tries again
    std::lock_guard lock(c->sending);
    c->producing = false;
    c->starved = true;
  }
}

void HttpServer::produce(const Shared& c) {
  while (true) {
    std::shared_ptr<Producer> producer;
    {
      std::lock_guard lock(c->sending);
      c->again = false;
      producer = c->producer;
      if (!producer) {
        c->producing = false;
        return;
      }
    }
    if (!step(c, producer)) return;
  }
}

// Calls a producer and sends what it wrote; whether it is to be called again.
bool HttpServer::step(const Shared& c, const std::shared_ptr<Producer>& producer) {
  size_t room = 0;
  {
    std::lock_guard lock(c->sending);
    const size_t waits = c->unsent.size() - c->sent;
    if (waits < limits_.unsent && unsent_ < limits_.all_unsent) room = limits_.unsent - waits;
  }
  Outlet out(room, c->chunked, c->keep, limits_.idle_seconds);
  bool failed = false;
  try {
    if (room > 0) producer->produce(out);
  } catch (...) {  // out of memory: the client sees an answer without an end
    failed = true;
  }
  bool all = false, again = false;
  {
    std::lock_guard lock(c->sending);
    if (c->closed) return false;
    try {
      const std::string made = out.take();
      if (c->unsent.empty()) c->taken_at = now_ms();
      c->unsent.append(made);
      unsent_ += made.size();
    } catch (...) {
      failed = true;
    }
    failed = failed || !flush(*c);
    c->ended = out.ended();
    c->starved = !c->ended && out.full();
    if (c->ended || failed) c->producer = nullptr;  // `producer` holds it still
    all = !failed && c->ended && c->unsent.empty();
    if (all || failed) c->state = Connection::State::answering;  // this worker's
    const bool room_again = c->starved && c->unsent.empty() && room > 0;
    again = !all && !failed && !c->ended && (c->again || room_again) && (!c->starved || room_again);
    c->producing = again;
  }
  if (failed) {
    producer->cancel();
    close_later(c, std::nullopt);
  } else if (all) {
    next(c);
  }
  return again;
}

// An answer is sent, by the thread whose the connection is now: what the client has sent behind its request is next.
void HttpServer::next(const Shared& c) {
  if (!c->keep || c->gone || stopping_) return close_later(c, std::nullopt);
  try {
    c->framer.next();
    if (c->framer.complete()) return dispatch(c);
  } catch (const Refusal& refusal) {
    return close_later(c, refusal);
  } catch (const std::exception&) {
    return close_later(c, std::nullopt);
  }
  give_back(c);
}

void HttpServer::give_back(const Shared& c) {
  c->hold(buffered_, c->framer.buffered());
  c->deadline = in_seconds(c->framer.begun() ? limits_.head_seconds : limits_.idle_seconds);
  std::lock_guard lock(c->sending);
  c->armed = false;
  watch(*c, EPOLLIN | EPOLLRDHUP);
  c->state.store(Connection::State::waiting, std::memory_order_release);
}

// Closes a connection that is being answered, or refuses what came: from any thread, by the waiting one.
void HttpServer::close_later(const Shared& c, std::optional<Refusal> refusal) {
  try {
    std::lock_guard lock(finished_mutex_);
    finished_.emplace_back(c, std::move(refusal));
  } catch (...) {
    c->state = Connection::State::broken;  // sweep() closes it
  }
  wake();
}

// A producer's end may be the end of a model, which takes a while: not on the waiting thread.
void HttpServer::discard(std::shared_ptr<Producer> producer) {
  try {
    workers_->run([held = std::move(producer)] {});
  } catch (...) {  // then here
  }
}

void HttpServer::take_finished() {
  std::vector<std::pair<Shared, std::optional<Refusal>>> finished;
  {
    std::lock_guard lock(finished_mutex_);
    finished.swap(finished_);
  }
  for (const auto& [c, refusal] : finished) {
    if (c->closed) continue;
    if (refusal)
      refuse(c, *refusal);
    else
      close(c);
  }
}

}  // namespace server
