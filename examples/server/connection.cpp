#include "connection.h"

#include <netdb.h>
#include <poll.h>

#include <algorithm>
#include <cstring>

namespace server {

thread_local Connection* Connection::current = nullptr;

Connection::Connection(int fd, const FramingLimits& limits, const sockaddr_storage& address, socklen_t length)
    : fd(fd), framer(limits) {
  char host[NI_MAXHOST] = "", port[NI_MAXSERV] = "0";
  getnameinfo(reinterpret_cast<const sockaddr*>(&address), length, host, sizeof host, port, sizeof port,
              NI_NUMERICHOST | NI_NUMERICSERV);
  peer = host;
  peer_port = std::atoi(port);
}

void Connection::begin_answer(int write_seconds) {
  arrived = std::chrono::steady_clock::now();
  head = framer.take_head();
  body = framer.take_body();
  head_read = 0;
  out.clear();
  write_seconds_ = write_seconds;
}

bool Connection::flush() {
  size_t sent = 0;
  while (!failed_ && sent < out.size()) {
    const ssize_t n = send(fd, out.data() + sent, out.size() - sent, MSG_NOSIGNAL);
    if (n > 0) {
      sent += static_cast<size_t>(n);
    } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      pollfd wait{.fd = fd, .events = POLLOUT, .revents = 0};
      failed_ = poll(&wait, 1, write_seconds_ * 1000) <= 0;
    } else if (n == 0 || errno != EINTR) {
      failed_ = true;
    }
  }
  out.clear();
  if (out.capacity() > (size_t{1} << 20)) out.shrink_to_fit();
  if (failed_) gone = true;
  return !failed_;
}

ssize_t ConnectionStream::read(char* to, size_t size) {
  const size_t n = std::min(size, c_.head.size() - c_.head_read);
  std::memcpy(to, c_.head.data() + c_.head_read, n);
  c_.head_read += n;
  return static_cast<ssize_t>(n);
}

ssize_t ConnectionStream::write(const char* from, size_t size) {
  c_.out.append(from, size);
  return static_cast<ssize_t>(size);
}

void ConnectionStream::get_remote_ip_and_port(std::string& ip, int& port) const {
  ip = c_.peer;
  port = c_.peer_port;
}

}  // namespace server
