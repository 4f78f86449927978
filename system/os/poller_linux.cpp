// By epoll, and an eventfd that wakes it.
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <string>

#include "os/poller.h"
#include "os/process.h"

namespace os {
namespace {

constexpr size_t kMostEvents = 256;

uint32_t epoll_events(unsigned events) {
  return ((events & kReadable) != 0 ? EPOLLIN : 0U) | ((events & kWritable) != 0 ? EPOLLOUT : 0U) |
         ((events & kEnded) != 0 ? EPOLLRDHUP : 0U) | ((events & kOnce) != 0 ? EPOLLET : 0U);
}

unsigned events_of(uint32_t epoll) {
  return ((epoll & EPOLLIN) != 0 ? kReadable : 0U) | ((epoll & EPOLLOUT) != 0 ? kWritable : 0U) |
         ((epoll & EPOLLRDHUP) != 0 ? kEnded : 0U) | ((epoll & (EPOLLHUP | EPOLLERR)) != 0 ? kGone : 0U);
}

class EpollPoller final : public Poller {
 public:
  EpollPoller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), wakeup_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (epoll_ >= 0 && wakeup_ >= 0 && add(wakeup_, kReadable)) return;
    const std::string why = ::strerror(errno);
    close_both();
    throw std::runtime_error("cannot wait for connections: " + why);
  }
  ~EpollPoller() override { close_both(); }

  bool add(int socket, unsigned events) noexcept override { return control(EPOLL_CTL_ADD, socket, events); }
  void change(int socket, unsigned events) noexcept override { control(EPOLL_CTL_MOD, socket, events); }
  void again(int) noexcept override {}   // an edge is told whenever it comes
  void remove(int) noexcept override {}  // closing does it

  size_t wait(Ready* ready, size_t most, int ms) override {
    epoll_event events[kMostEvents];
    const int n = ::epoll_wait(epoll_, events, static_cast<int>(std::min(most, kMostEvents)), ms);
    size_t out = 0;
    for (int i = 0; i < n; ++i) {
      if (events[i].data.fd != wakeup_) {
        ready[out++] = {events[i].data.fd, events_of(events[i].events)};
        continue;
      }
      uint64_t count;
      [[maybe_unused]] const ssize_t got = ::read(wakeup_, &count, sizeof count);
    }
    return out;
  }

  void wake() noexcept override {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(wakeup_, &one, sizeof one);
  }

 private:
  bool control(int what, int socket, unsigned events) noexcept {
    epoll_event event{.events = epoll_events(events), .data = {.fd = socket}};
    return ::epoll_ctl(epoll_, what, socket, &event) == 0;
  }
  void close_both() noexcept {
    for (const int fd : {epoll_, wakeup_})
      if (fd >= 0) ::close(fd);
  }
  const int epoll_, wakeup_;
};

}  // namespace

std::unique_ptr<Poller> new_poller() {
  if (variable_or_empty("QUERN_POLLER") == "poll") return new_portable_poller();
  return std::make_unique<EpollPoller>();
}

}  // namespace os
