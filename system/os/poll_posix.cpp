#include "os/poll.h"
#include "os/poller.h"

namespace os {
namespace {

#if defined(POLLRDHUP)
constexpr short kPollEnded = POLLRDHUP;
constexpr unsigned kHungUp = kGone;
#else
constexpr short kPollEnded = 0;
constexpr unsigned kHungUp = kEnded | kReadable;  // reading says whether anything is left
#endif

}  // namespace

PolledSocket to_poll(int socket, unsigned events) noexcept {
  return {socket,
          static_cast<short>(((events & kReadable) != 0 ? POLLIN : 0) | ((events & kWritable) != 0 ? POLLOUT : 0) |
                             ((events & kEnded) != 0 ? kPollEnded : 0)),
          0};
}

unsigned events_in(const PolledSocket& polled) noexcept {
  const short came = polled.revents;
  return ((came & POLLIN) != 0 ? kReadable : 0U) | ((came & POLLOUT) != 0 ? kWritable : 0U) |
         ((came & kPollEnded) != 0 ? kEnded : 0U) | ((came & POLLHUP) != 0 ? kHungUp : 0U) |
         ((came & (POLLERR | POLLNVAL)) != 0 ? kGone : 0U);
}

int poll_sockets(std::vector<PolledSocket>& sockets, int ms) noexcept {
  return ::poll(sockets.data(), static_cast<nfds_t>(sockets.size()), ms);
}

}  // namespace os
