// poll() as each system has it, for poller.cpp.
#pragma once
#include <vector>

#if defined(_WIN32)
#include <winsock2.h>
namespace os {
using PolledSocket = WSAPOLLFD;
}
#else
#include <poll.h>
namespace os {
using PolledSocket = pollfd;
}
#endif

namespace os {

PolledSocket to_poll(int socket, unsigned events) noexcept;  // events: of Event
unsigned events_in(const PolledSocket& polled) noexcept;     // that came
inline int socket_of(const PolledSocket& polled) noexcept {
  return static_cast<int>(polled.fd);
}
int poll_sockets(std::vector<PolledSocket>& sockets, int ms) noexcept;  // as poll()

}  // namespace os
