// Memory that all clients share: requests that come, answers that wait to be read. Every connection counts what it
// holds; an address has a part of the whole; what is small is counted apart, so that it never waits for what is large.
#pragma once
#include <atomic>
#include <cstddef>
#include <string>
#include <utility>

namespace server {

constexpr size_t kSmall = 64 << 10;  // bytes

struct Budget {
  Budget(size_t small, size_t large) : most{small, large} {}
  size_t used() const { return of[0] + of[1]; }
  // large: which of the two is meant.
  bool full(bool large) const { return of[large] > most[large]; }

  const size_t most[2];
  std::atomic<size_t> of[2] = {0, 0};  // what is held by connections with little, by those with much
};

// A client's address, or an IPv6 network of 64 bits.
struct Peer {
  explicit Peer(std::string address) : address(std::move(address)) {}
  const std::string address;                   // its bytes
  std::atomic<size_t> received{0}, unsent{0};  // of what is large
  size_t connections = 0;                      // the waiting thread's
};

// What one connection holds of a budget. One thread at a time.
class Holding {
 public:
  Holding(Budget& all, std::atomic<size_t>& peer) : all_(all), peer_(peer) {}
  void set(size_t bytes) noexcept {
    const size_t before = bytes_.exchange(bytes);
    all_.of[before > kSmall] -= before;
    all_.of[bytes > kSmall] += bytes;
    if (before > kSmall) peer_ -= before;
    if (bytes > kSmall) peer_ += bytes;
  }
  size_t bytes() const { return bytes_; }
  bool large() const { return bytes_ > kSmall; }
  bool fits() const { return !all_.full(large()) && !peer_full(); }
  bool peer_full() const { return large() && peer_ > all_.most[1] / 2; }

 private:
  Budget& all_;
  std::atomic<size_t>& peer_;
  std::atomic<size_t> bytes_{0};
};

}  // namespace server
