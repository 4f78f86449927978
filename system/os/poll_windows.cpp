#include "os/poll.h"
#include "os/poller.h"

namespace os {

PolledSocket to_poll(int socket, unsigned events) noexcept {
  return {
      static_cast<SOCKET>(socket),
      static_cast<SHORT>(((events & kReadable) != 0 ? POLLRDNORM : 0) | ((events & kWritable) != 0 ? POLLWRNORM : 0)),
      0};
}

// POLLHUP: the other end sends no more; reading says whether anything is left.
unsigned events_in(const PolledSocket& polled) noexcept {
  const SHORT came = polled.revents;
  return ((came & POLLRDNORM) != 0 ? kReadable : 0U) | ((came & POLLWRNORM) != 0 ? kWritable : 0U) |
         ((came & POLLHUP) != 0 ? kEnded | kReadable : 0U) | ((came & (POLLERR | POLLNVAL)) != 0 ? kGone : 0U);
}

int poll_sockets(std::vector<PolledSocket>& sockets, int ms) noexcept {
  return WSAPoll(sockets.data(), static_cast<ULONG>(sockets.size()), ms);
}

}  // namespace os
