// 64-byte aligned bytes for kernels to work on.
#pragma once
#include <cstring>
#include <memory>
#include <new>

class Buffer {
 public:
  explicit Buffer(size_t n) : data_(static_cast<char*>(::operator new (n + 64, std::align_val_t{64}))) {
    std::memset(data_.get(), 0x5a, n + 64);  // what is not written must not matter
  }
  char* get() const { return data_.get(); }

 private:
  struct Free {
    void operator()(char* p) const { ::operator delete (p, std::align_val_t{64}); }
  };
  std::unique_ptr<char, Free> data_;
};
