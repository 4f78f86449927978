// Waiting for many sockets at once. One thread waits; any may change what is waited for.
#pragma once
#include <cstddef>
#include <memory>

namespace os {

enum Event : unsigned {
  kReadable = 1,
  kWritable = 2,
  kEnded = 4,  // the other end sends no more; where the system tells
  kGone = 8,   // the connection is no more; told whatever is asked for
  kOnce = 16,  // asked for: what it tells is not told again before again(), change(), or more has come
};

struct Ready {
  int socket;
  unsigned events;
};

class Poller {
 public:
  virtual ~Poller() = default;
  // events: of Event. False: there is no memory for it (errno).
  virtual bool add(int socket, unsigned events) noexcept = 0;
  virtual void change(int socket, unsigned events) noexcept = 0;
  virtual void again(int socket) noexcept = 0;   // it may tell once more what it told once
  virtual void remove(int socket) noexcept = 0;  // before it is closed
  // Those for which something has come, at most `most`; none after `ms`, or once it is woken.
  virtual size_t wait(Ready* ready, size_t most, int ms) = 0;
  virtual void wake() noexcept = 0;  // from any thread
};

// The best that the system has; on Linux poll() where QUERN_POLLER is "poll". Throws std::runtime_error.
std::unique_ptr<Poller> new_poller();
// By poll(), which every system has; its costs grow with the connections.
std::unique_ptr<Poller> new_portable_poller();

}  // namespace os
