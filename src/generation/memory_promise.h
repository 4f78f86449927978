// Memory for keys and values that was promised to generators, but that they have not touched: the system counts it as
// free.
#pragma once
#include <atomic>
#include <cstdint>

namespace quern {

class MemoryPromise {
 public:
  explicit MemoryPromise(uint64_t bytes) : bytes_(bytes) { all() += bytes; }
  ~MemoryPromise() { all() -= bytes_; }
  MemoryPromise(const MemoryPromise&) = delete;
  MemoryPromise& operator=(const MemoryPromise&) = delete;

  // So much of it is in use from now on.
  void took(uint64_t bytes) {
    bytes = bytes < bytes_ ? bytes : bytes_;
    bytes_ -= bytes;
    all() -= bytes;
  }
  static uint64_t in_all() { return all(); }

 private:
  static std::atomic<uint64_t>& all() {
    static std::atomic<uint64_t> bytes{0};
    return bytes;
  }
  uint64_t bytes_;
};

}  // namespace quern
