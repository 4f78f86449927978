// Who gets what there is of connections and memory: new ones come in, and what stalls gives way to what moves.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "connection.h"
#include "http_parser.h"
#include "http_server.h"

namespace server {
namespace {

constexpr size_t kMostAtOnce = 256;
constexpr int64_t kStalledMs = 2000;  // without 64 KiB more of a body: it gives way where room is needed
constexpr int64_t kIdleMs = 2000;     // an idle connection gives way to new ones after it
constexpr size_t kGiveWay = 64;       // idle ones at once
constexpr int64_t kPauseMs = 200;     // without a descriptor: before the next try
constexpr int kKernelBytes =
    128 << 10;  // that the system keeps for a client which does not read, beside what is on its way
// A client that has not taken 64 KiB for so long, while there were as many, may be dropped where others need the room.
constexpr int64_t kSlowMs = 2000;

}  // namespace

// How many came.
size_t HttpServer::accept_new() {
  size_t n = 0;
  for (; n < kMostAtOnce; ++n) {
    os::Remote remote;
    int fd = -1;
    try {
      fd = os::accept_from(listener_, remote);
      if (fd >= 0) {
        add(fd, remote);
        continue;
      }
    } catch (const std::exception&) {  // no memory for it
      if (fd >= 0 && !connections_.contains(fd)) os::close_socket(fd);
      continue;
    }
    if (os::is_passing(errno)) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) pause_accepting();
    break;
  }
  return n;
}

void HttpServer::add(int fd, const os::Remote& remote) {
  if (connections_.size() >= limits_.connections) make_place();
  std::shared_ptr<Peer>& peer = peers_[remote.counted];
  if (!peer) peer = std::make_shared<Peer>(remote.counted);
  if (connections_.size() >= limits_.connections || peer->connections >= limits_.connections * 3 / 4) {
    os::close_socket(fd);
    if (peer->connections == 0) peers_.erase(remote.counted);
    return;
  }
  os::set_up_for_answers(fd, kKernelBytes);
  const auto c = std::make_shared<Connection>(fd, limits_.framing, remote, peer, received_, unsent_);
  c->late = stopping_;
  c->begun = now_ms();
  c->deadline = in_seconds(limits_.head_seconds);
  connections_[fd] = c;
  ++peer->connections;
  open_ = connections_.size();
  if (!poller_->add(fd, os::kReadable | os::kEnded)) close(c);
}

// There is no descriptor, or no memory, for another connection: until there is, the listener would wake this thread
// again and again.
void HttpServer::pause_accepting() {
  poller_->change(listener_, 0);
  accepts_at_ = now_ms() + kPauseMs;
  make_place();
}

void HttpServer::listen_again() {
  accepts_at_ = 0;
  poller_->change(listener_, os::kReadable);
}

// Closes those connections that have been idle for longest.
void HttpServer::make_place() {
  const int64_t now = now_ms();
  std::vector<std::pair<int64_t, Shared>> idle;
  for (const auto& [fd, c] : connections_)
    if (c->state.load(std::memory_order_acquire) == Connection::State::waiting && !c->framer.in_body() &&
        now - c->begun > kIdleMs)
      idle.emplace_back(c->begun, c);
  const size_t n = std::min(idle.size(), kGiveWay);
  std::partial_sort(idle.begin(), idle.begin() + static_cast<ptrdiff_t>(n), idle.end(),
                    [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t i = 0; i < n; ++i)
    if (!os::has_unread(idle[i].second->fd)) close(idle[i].second);
}

// Whether there is room for what has come of a request. Bodies that have stopped coming give way.
bool HttpServer::fits(const Shared& c) {
  while (!c->received.fits()) {
    const Shared other = stalled(*c, c->received.peer_full());
    if (!other) return false;
    refuse(other, {Reason::overloaded, "the request came too slowly for the memory that others need"});
  }
  return true;
}

// The body of the newcomer's kind, or its address's, of which 64 KiB more have not come for longest.
HttpServer::Shared HttpServer::stalled(const Connection& newcomer, bool of_its_peer) {
  Shared found;
  for (const auto& [fd, c] : connections_) {
    if (c.get() == &newcomer || c->state.load(std::memory_order_acquire) != Connection::State::waiting) continue;
    if (c->received.large() != newcomer.received.large() || (of_its_peer && c->peer != newcomer.peer)) continue;
    if (c->received.bytes() > 0 && (!found || c->came_at < found->came_at)) found = c;
  }
  return found && now_ms() - found->came_at > kStalledMs ? found : nullptr;
}

// What clients that read too slowly leave waiting makes room for others: the slowest first, those of addresses with
// most before others. By the waiting thread.
void HttpServer::drop_slow_readers() {
  const auto crowded = [&](const Connection* c) {
    if (unsent_.full(false)) return true;
    return 2 * unsent_.of[1] > unsent_.most[1] || (c && 4 * c->peer->unsent > unsent_.most[1]);
  };
  const int64_t now = now_ms();
  std::vector<std::pair<int64_t, Shared>> slow;
  for (const auto& [fd, c] : connections_) {
    if (c->state.load(std::memory_order_acquire) != Connection::State::sending) continue;
    std::lock_guard lock(c->sending);
    if (c->waits.bytes() > 0 && now - c->taken_at > kSlowMs) slow.emplace_back(c->taken_at, c);
  }
  std::sort(slow.begin(), slow.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [since, c] : slow)
    if (crowded(c.get())) close(c);
  crowded_ = false;
  for (const auto& [address, peer] : peers_)
    if (peer && 4 * peer->unsent > unsent_.most[1]) crowded_ = true;  // none was slow yet: sweep() looks again
  if (crowded(nullptr)) crowded_ = true;
}

}  // namespace server
