// TCP sockets whose calls never wait. What fails leaves the reason in errno: EAGAIN where it would have to wait. A
// socket is an int on every system: of Windows' handles no more than 32 bits count.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace os {

// Who is at the other end.
struct Remote {
  std::string address;  // as people write it
  int port = 0;
  std::string counted;  // what a client is counted by: its IPv4 address, or the first half of its IPv6 address
};

// Throws std::runtime_error: says what cannot be had. port 0: any free one, told by `port`.
int listen_on(const std::string& host, int& port);
// -1: failed.
int accept_from(int listener, Remote& remote);
bool is_passing(int accept_error) noexcept;  // of that one connection: the next may be fine

int64_t receive(int socket, void* to, size_t size) noexcept;  // bytes; 0: the other end sends no more
int64_t send_some(int socket, const void* from, size_t size) noexcept;
bool has_unread(int socket) noexcept;  // bytes wait in it
void end_sending(int socket) noexcept;
void close_socket(int socket) noexcept;
// What is sent goes at once, and the system keeps about `kept` bytes for a client that does not read, where it can.
void set_up_for_answers(int socket, int kept) noexcept;
bool is_ip_address(const std::string& name) noexcept;

// A pair that wakes who waits for sockets: what is sent to one comes out of the other; on Windows they are one. Throws
// std::runtime_error.
void make_waker(int (&ends)[2]);

}  // namespace os
