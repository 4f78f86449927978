// Answers on their way out: made by workers, sent by whoever can, the rest by the waiting thread.

#include <algorithm>
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
void Exchange::drop_body() {
  connection_.body = {};
}
void Exchange::charge(size_t bytes) {
  charged_ += bytes;
  const size_t all = connection_.body.size() + charged_;
  if (all <= std::max(kSmall, connection_.received.bytes())) return;
  connection_.received.set(all);
  if (!connection_.received.fits())
    throw Refusal{Reason::overloaded, "other large requests take the memory that there is for them"};
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

void HttpServer::watch(const Connection& c, unsigned events) {
  poller_->change(c.fd, events);
}

// A whole request is there: by the waiting thread, or by whoever has sent the answer before it.
void HttpServer::dispatch(const Shared& c) {
  {
    std::lock_guard lock(c->sending);
    if (c->closed) return;
    c->state = Connection::State::answering;
    c->armed = false;
    watch(*c, os::kEnded | os::kOnce);
  }
  const std::string& head = c->framer.head();
  const bool quick = (head.starts_with("GET ") || head.starts_with("HEAD ")) && c->framer.buffered() <= kSmall &&
                     application_->is_quick(c->framer.path());
  try {
    (quick ? quick_ : workers_)->run([this, c] { answer(c); });
  } catch (...) {
    c->failed = true;
    close_later(c);
  }
}

// On a worker.
void HttpServer::answer(const Shared& c) {
  try {
    c->begin_answer();
    ConnectionStream stream(*c);
    Connection::current = c.get();
    // What a client has sent behind it is answered too: until then the connection stays open.
    const bool last = stopping_ && !c->framer.begun() && !os::has_unread(c->fd);
    bool closes = false;
    const bool keep = parser_->answer(stream, last, closes) && !closes && !last;
    Connection::current = nullptr;
    c->body.clear();
    c->body.shrink_to_fit();
    c->received.set(c->framer.buffered());
    hand_over(c, keep);
  } catch (...) {  // out of memory: there is no answer
    Connection::current = nullptr;
    c->offered = nullptr;
    c->failed = true;
    close_later(c);
  }
}

// Whether one more answer of so many bytes may wait for its client. What is small may, and one that is alone.
bool HttpServer::has_room(const Connection& c, size_t bytes) const {
  if (bytes <= kSmall) return true;
  const auto fits = [&](size_t used, size_t most) { return used == 0 || used + bytes <= most; };
  return fits(unsent_.of[1], unsent_.most[1]) && fits(c.peer->unsent, unsent_.most[1] / 2);
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
    return close_later(c);
  }
  if (!has_room(*c, c->out.size())) {
    crowded_ = true;
    wake();
    const httplib::Response made =
        application_->refuse({Reason::overloaded, "too many answers wait to be read"}, {}, c->address);
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
    c->out = {};
    c->sent = 0;
    c->waits.set(c->unsent.size());
    c->ended = true;
    c->taken_at = now_ms();
    c->taken = 0;
    c->state = Connection::State::sending;
    failed = !flush(*c);
    all = c->unsent.empty();
    if (all || failed) c->state = Connection::State::answering;  // this worker's again
  }
  if (failed) return close_later(c);
  if (all) return next(c);
  if (2 * unsent_.of[1] > unsent_.most[1] || 4 * c->peer->unsent > unsent_.most[1] || unsent_.full(false)) {
    crowded_ = true;
    wake();
  }
}

// Sends what the socket takes; the waiting thread hears when it takes more. False where the client is gone. Its
// `sending` is held, and it is open.
bool HttpServer::flush(Connection& c) {
  while (c.sent < c.unsent.size()) {
    const int64_t n = os::send_some(c.fd, c.unsent.data() + c.sent, c.unsent.size() - c.sent);
    if (n > 0) {
      c.sent += static_cast<size_t>(n);
      c.taken += static_cast<size_t>(n);
      c.waits.set(c.unsent.size() - c.sent);
      if (c.taken < kSmall && c.sent < c.unsent.size()) continue;
      c.taken_at = now_ms();
      c.taken = 0;
    } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      if (!std::exchange(c.armed, true))
        watch(c, os::kWritable | os::kEnded | os::kOnce);
      else
        poller_->again(c.fd);
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
bool HttpServer::go_on_sending(const Shared& c, unsigned events) {
  bool drop = false, all = false, more = false;
  {
    std::lock_guard lock(c->sending);
    const Connection::State state = c->state.load(std::memory_order_acquire);
    if (state == Connection::State::broken) return true;
    if (state != Connection::State::answering && state != Connection::State::sending) return false;
    const bool hung_up = events & os::kGone;
    if (hung_up || (events & os::kEnded)) c->gone = true;
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
    if (waits < limits_.unsent) room = limits_.unsent - waits;
    // However much waits for others, who reads gets a little at a time.
    if (unsent_.full(true) || unsent_.full(false)) room = waits == 0 ? std::min(room, kSmall / 4) : 0;
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
      if (c->unsent.empty()) c->taken_at = now_ms(), c->taken = 0;
      c->unsent.append(made);
      c->waits.set(c->unsent.size() - c->sent);
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
    close_later(c);
  } else if (all) {
    next(c);
  }
  return again;
}

// An answer is sent, by the thread whose the connection is now: what the client has sent behind its request is next.
void HttpServer::next(const Shared& c) {
  if (!c->keep || c->gone) return close_later(c);
  try {
    c->framer.next();
    if (c->framer.complete()) return dispatch(c);
    if (auto refusal = admit(*c)) return finish_later({c, std::move(refusal)});
  } catch (const Refusal& refusal) {
    return refuse_later(c, refusal);
  } catch (...) {
    c->failed = true;
    return close_later(c);
  }
  give_back(c);
}

void HttpServer::give_back(const Shared& c) {
  c->received.set(c->framer.buffered());
  c->begun = c->came_at = now_ms();
  c->came = c->framer.buffered();
  c->deadline = in_seconds(c->framer.begun() ? limits_.head_seconds : limits_.idle_seconds);
  std::lock_guard lock(c->sending);
  c->armed = false;
  watch(*c, os::kReadable | os::kEnded);
  c->state.store(Connection::State::waiting, std::memory_order_release);
}

// Closes a connection that is being answered, or refuses what came: from any thread, by the waiting one.
void HttpServer::close_later(const Shared& c) noexcept {
  finish_later({c, std::nullopt});
}

void HttpServer::refuse_later(const Shared& c, const Refusal& refusal) noexcept {
  try {
    finish_later({c, application_->refuse(refusal, c->framer.path(), c->address)});
  } catch (...) {
    c->failed = true;
    close_later(c);
  }
}

void HttpServer::finish_later(Finished finished) noexcept {
  const Shared c = finished.connection;
  try {
    std::lock_guard lock(finished_mutex_);
    finished_.push_back(std::move(finished));
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
  std::vector<Finished> finished;
  {
    std::lock_guard lock(finished_mutex_);
    finished.swap(finished_);
  }
  for (const auto& [c, refusal] : finished) {
    if (c->closed) continue;
    if (c->failed)
      fail(c);
    else if (refusal)
      send_and_close(c, *refusal);
    else
      finish(c);
  }
}

}  // namespace server
