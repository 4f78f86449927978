// What is read of a socket's address. Included behind the system's own headers, which name it alike.
#pragma once
#include <string>

namespace os {

// What one client is counted by: an IPv4 address, also one within IPv6, or the network of an IPv6 address.
inline std::string counted_of(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET6) {
    const auto& ip = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    const char* bytes = reinterpret_cast<const char*>(ip.s6_addr);
    return IN6_IS_ADDR_V4MAPPED(&ip) ? std::string(bytes + 12, 4) : std::string(bytes, 8);
  }
  const auto& ip = reinterpret_cast<const sockaddr_in&>(address).sin_addr;
  return std::string(reinterpret_cast<const char*>(&ip.s_addr), sizeof ip.s_addr);
}

inline int port_in(const sockaddr_storage& address) {
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

}  // namespace os
