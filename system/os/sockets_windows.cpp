#include <errno.h>
#include <string.h>
#include <winsock2.h>
#include <ws2tcpip.h>

#include "os/sockets.h"
//
#include <windows.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>

#include "os/socket_address.h"
#include "os/wide_windows.h"

namespace os {
namespace {

// Once a process; the system takes it back at its end.
void begin_sockets() {
  static const bool begun = [] {
    WSADATA data;
    return WSAStartup(MAKEWORD(2, 2), &data) == 0;
  }();
  if (!begun) throw std::runtime_error("Windows gives no sockets");
}

void take_socket_error() noexcept {
  switch (WSAGetLastError()) {
    case WSAEWOULDBLOCK:
      errno = EAGAIN;
      return;
    case WSAEINTR:
      errno = EINTR;
      return;
    case WSAECONNRESET:
      errno = ECONNRESET;
      return;
    case WSAECONNABORTED:
      errno = ECONNABORTED;
      return;
    case WSAEMFILE:
      errno = EMFILE;
      return;
    case WSAENOBUFS:
      errno = ENOBUFS;
      return;
    default:
      errno = EIO;
  }
}

[[noreturn]] void throw_error(const std::string& what) {
  throw std::runtime_error(what + ": " + error_text(static_cast<unsigned long>(WSAGetLastError())));
}

int set_up(SOCKET made) noexcept {
  if (made == INVALID_SOCKET) {
    take_socket_error();
    return -1;
  }
  u_long on = 1;
  ioctlsocket(made, static_cast<long>(FIONBIO), &on);
  SetHandleInformation(reinterpret_cast<HANDLE>(made), HANDLE_FLAG_INHERIT, 0);
  return static_cast<int>(made);
}

SOCKET of(int socket) noexcept {
  return static_cast<SOCKET>(socket);
}

template <class T>
void set(int socket, int level, int option, T value) noexcept {
  setsockopt(of(socket), level, option, reinterpret_cast<const char*>(&value), sizeof value);
}

int port_of(int socket) noexcept {
  sockaddr_storage address{};
  int length = sizeof address;
  getsockname(of(socket), reinterpret_cast<sockaddr*>(&address), &length);
  return port_in(address);
}

}  // namespace

int listen_on(const std::string& host, int& port) {
  begin_sockets();
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  if (const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found))
    throw std::runtime_error("--host " + host + ": " + error_text(static_cast<unsigned long>(error)));
  const std::unique_ptr<addrinfo, void(WSAAPI*)(addrinfo*)> owner(found, freeaddrinfo);
  const int listener = set_up(socket(found->ai_family, SOCK_STREAM, 0));
  if (listener < 0) throw_error("cannot make a socket");
  set(listener, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, int{1});  // nobody else takes the port meanwhile
  if (bind(of(listener), found->ai_addr, static_cast<int>(found->ai_addrlen)) != 0 || listen(of(listener), 4096) != 0) {
    const int error = WSAGetLastError();
    closesocket(of(listener));
    WSASetLastError(error);
    throw_error("cannot listen on " + host + ":" + std::to_string(port));
  }
  port = port_of(listener);
  return listener;
}

int accept_from(int listener, Remote& remote) {
  sockaddr_storage address{};
  int length = sizeof address;
  const int socket = set_up(accept(of(listener), reinterpret_cast<sockaddr*>(&address), &length));
  if (socket < 0) return socket;
  char host[NI_MAXHOST] = "", service[NI_MAXSERV] = "0";
  getnameinfo(reinterpret_cast<const sockaddr*>(&address), length, host, sizeof host, service, sizeof service,
              NI_NUMERICHOST | NI_NUMERICSERV);
  try {
    remote = {host, std::atoi(service), counted_of(address)};
  } catch (...) {
    closesocket(of(socket));
    throw;
  }
  return socket;
}

bool is_passing(int accept_error) noexcept {
  return accept_error == EINTR || accept_error == ECONNABORTED || accept_error == ECONNRESET;
}

int64_t receive(int socket, void* to, size_t size) noexcept {
  const int n = recv(of(socket), static_cast<char*>(to), static_cast<int>(size < (1U << 30) ? size : 1U << 30), 0);
  if (n < 0) take_socket_error();
  return n;
}

int64_t send_some(int socket, const void* from, size_t size) noexcept {
  const int n =
      send(of(socket), static_cast<const char*>(from), static_cast<int>(size < (1U << 20) ? size : 1U << 20), 0);
  if (n < 0) take_socket_error();
  return n;
}

bool has_unread(int socket) noexcept {
  char byte;
  return recv(of(socket), &byte, 1, MSG_PEEK) > 0;
}

void end_sending(int socket) noexcept {
  shutdown(of(socket), SD_SEND);
}

void close_socket(int socket) noexcept {
  closesocket(of(socket));
}

void set_up_for_answers(int socket, int) noexcept {
  set(socket, IPPROTO_TCP, TCP_NODELAY, int{1});
}

bool is_ip_address(const std::string& name) noexcept {
  char bytes[16];
  return inet_pton(AF_INET, name.c_str(), bytes) == 1 || inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

// A datagram socket of this machine that sends to itself.
void make_waker(int (&ends)[2]) {
  begin_sockets();
  const int socket = set_up(::socket(AF_INET, SOCK_DGRAM, 0));
  if (socket < 0) throw_error("cannot wait for connections");
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(of(socket), reinterpret_cast<sockaddr*>(&here), sizeof here) != 0)
    throw_error("cannot wait for connections");
  here.sin_port = htons(static_cast<u_short>(port_of(socket)));
  if (connect(of(socket), reinterpret_cast<sockaddr*>(&here), sizeof here) != 0)
    throw_error("cannot wait for connections");
  ends[0] = ends[1] = socket;
}

}  // namespace os
