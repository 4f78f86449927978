#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>

#include "os/socket_address.h"
#include "os/sockets.h"

namespace os {
namespace {

#if defined(__APPLE__)
constexpr int kNoSignal = 0;  // SO_NOSIGPIPE instead
#else
constexpr int kNoSignal = MSG_NOSIGNAL;
#endif

[[noreturn]] void throw_errno(const std::string& what) {
  throw std::runtime_error(what + ": " + ::strerror(errno));
}

// What accept4 and SOCK_NONBLOCK do where they are there.
[[maybe_unused]] int set_up(int socket) noexcept {
  if (socket < 0) return socket;
  ::fcntl(socket, F_SETFD, FD_CLOEXEC);
  ::fcntl(socket, F_SETFL, ::fcntl(socket, F_GETFL) | O_NONBLOCK);
#if defined(__APPLE__)
  const int on = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
  return socket;
}

}  // namespace

int listen_on(const std::string& host, int& port) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  if (const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found))
    throw std::runtime_error("--host " + host + ": " + ::gai_strerror(error));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  const int listener = set_up(::socket(found->ai_family, SOCK_STREAM, 0));
  if (listener < 0) throw_errno("cannot make a socket");
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(listener, found->ai_addr, found->ai_addrlen) < 0 || ::listen(listener, 4096) < 0) {
    const int error = errno;
    ::close(listener);
    errno = error;
    throw_errno("cannot listen on " + host + ":" + std::to_string(port));
  }
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length);
  port = port_in(address);
  return listener;
}

int accept_from(int listener, Remote& remote) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  const auto to = reinterpret_cast<sockaddr*>(&address);
#if defined(__APPLE__)
  const int socket = set_up(::accept(listener, to, &length));
#else
  const int socket = ::accept4(listener, to, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
#endif
  if (socket < 0) return socket;
  char host[NI_MAXHOST] = "", service[NI_MAXSERV] = "0";
  ::getnameinfo(to, length, host, sizeof host, service, sizeof service, NI_NUMERICHOST | NI_NUMERICSERV);
  try {
    remote = {host, std::atoi(service), counted_of(address)};
  } catch (...) {
    ::close(socket);
    throw;
  }
  return socket;
}

bool is_passing(int accept_error) noexcept {
  return accept_error == EINTR || accept_error == ECONNABORTED || accept_error == EPROTO;
}

int64_t receive(int socket, void* to, size_t size) noexcept {
  return ::recv(socket, to, size, 0);
}

int64_t send_some(int socket, const void* from, size_t size) noexcept {
  return ::send(socket, from, size, kNoSignal);
}

bool has_unread(int socket) noexcept {
  char byte;
  return ::recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void end_sending(int socket) noexcept {
  ::shutdown(socket, SHUT_WR);
}

void close_socket(int socket) noexcept {
  ::close(socket);
}

void set_up_for_answers(int socket, [[maybe_unused]] int kept) noexcept {
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
#if defined(TCP_NOTSENT_LOWAT)
  ::setsockopt(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kept, sizeof kept);
#endif
}

bool is_ip_address(const std::string& name) noexcept {
  char bytes[16];
  return ::inet_pton(AF_INET, name.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

void make_waker(int (&ends)[2]) {
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) throw_errno("cannot wait for connections");
  for (const int end : ends) set_up(end);
}

}  // namespace os
