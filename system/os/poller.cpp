// By poll(), which forgets between two calls what was asked for.
#include "os/poller.h"

#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

#include "os/poll.h"
#include "os/sockets.h"

namespace os {
namespace {

class PortablePoller final : public Poller {
 public:
  PortablePoller() { make_waker(waker_); }
  ~PortablePoller() override {
    close_socket(waker_[0]);
    if (waker_[1] != waker_[0]) close_socket(waker_[1]);
  }

  bool add(int socket, unsigned events) noexcept override {
    try {
      const std::lock_guard lock(mutex_);
      asked_[socket] = {events, events, ++generation_};
    } catch (const std::bad_alloc&) {
      return false;
    }
    wake_waiting();
    return true;
  }

  void change(int socket, unsigned events) noexcept override {
    {
      const std::lock_guard lock(mutex_);
      const auto found = asked_.find(socket);
      if (found == asked_.end()) return;
      found->second = {events, events, ++generation_};
    }
    wake_waiting();
  }

  void again(int socket) noexcept override {
    {
      const std::lock_guard lock(mutex_);
      const auto found = asked_.find(socket);
      if (found == asked_.end()) return;
      found->second.armed = found->second.events;
    }
    wake_waiting();
  }

  void remove(int socket) noexcept override {
    const std::lock_guard lock(mutex_);
    asked_.erase(socket);
  }

  size_t wait(Ready* ready, size_t most, int ms) override {
    collect();
    const int n = poll_sockets(polled_, ms);
    const std::lock_guard lock(mutex_);
    waiting_ = false;
    if (n <= 0) return 0;
    if (events_in(polled_[0]) != 0) empty_waker();
    size_t out = 0;
    // From where the last call has ended, so that each has its turn.
    for (size_t i = 1; i < polled_.size() && out < most; ++i) {
      const size_t at = 1 + (next_ + i) % (polled_.size() - 1);
      if (out + 1 == most) next_ = at;
      take(polled_[at], generations_[at], ready, out);
    }
    return out;
  }

  void wake() noexcept override {
    const char byte = 1;
    send_some(waker_[1], &byte, 1);
  }

 private:
  struct Asked {
    unsigned events = 0, armed = 0;
    uint64_t generation = 0;
  };

  void collect() {
    const std::lock_guard lock(mutex_);
    polled_.clear();
    generations_.clear();
    polled_.push_back(to_poll(waker_[0], kReadable));
    generations_.push_back(0);
    for (const auto& [socket, asked] : asked_) {
      if ((asked.armed & ~unsigned{kOnce}) == 0) continue;
      polled_.push_back(to_poll(socket, asked.armed));
      generations_.push_back(asked.generation);
    }
    waiting_ = true;
  }

  // What came for a socket, unless something else is asked of it meanwhile.
  void take(const PolledSocket& polled, uint64_t generation, Ready* ready, size_t& out) {
    const unsigned events = events_in(polled);
    if (events == 0) return;
    const int socket = socket_of(polled);
    const auto found = asked_.find(socket);
    if (found == asked_.end() || found->second.generation != generation) return;
    if ((found->second.events & kOnce) != 0) found->second.armed &= ~(events | ((events & kGone) != 0 ? ~0U : 0U));
    ready[out++] = {socket, events};
  }

  void wake_waiting() noexcept {
    bool waits;
    {
      const std::lock_guard lock(mutex_);
      waits = waiting_;
    }
    if (waits) wake();
  }

  void empty_waker() noexcept {
    char bytes[256];
    while (receive(waker_[0], bytes, sizeof bytes) > 0) {
    }
  }

  std::mutex mutex_;
  std::unordered_map<int, Asked> asked_;
  uint64_t generation_ = 0;
  bool waiting_ = false;
  int waker_[2] = {-1, -1};
  std::vector<PolledSocket> polled_;  // of the thread that waits, as what follows
  std::vector<uint64_t> generations_;
  size_t next_ = 0;
};

}  // namespace

std::unique_ptr<Poller> new_portable_poller() {
  return std::make_unique<PortablePoller>();
}

}  // namespace os
