// Scratch memory for one worker: bump allocation, released in reverse order by Scope. Not thread-safe.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <tuple>
#include <utility>
#include <vector>

namespace quern {

class Arena {
 public:
  // n values of T, 64-byte aligned and uninitialized; T must be trivial.
  template <class T>
  T* take(int64_t n) {
    return static_cast<T*>(take_bytes(static_cast<size_t>(n) * sizeof(T)));
  }

  void* take_bytes(size_t bytes) {
    bytes = (bytes + 63) & ~size_t{63};
    while (current_ < chunks_.size() && used_ + bytes > chunks_[current_].size) {
      ++current_;
      used_ = 0;
    }
    if (current_ == chunks_.size()) {
      const size_t size = bytes > kChunk ? bytes : kChunk;
      chunks_.push_back({std::unique_ptr<void, Free>(::operator new (size, std::align_val_t{64})), size});
      used_ = 0;
    }
    void* p = static_cast<char*>(chunks_[current_].memory.get()) + used_;
    used_ += bytes;
    return p;
  }

  // Where it stands; release() gives back what was taken since. The memory stays with the arena.
  using Mark = std::pair<size_t, size_t>;
  Mark mark() const { return {current_, used_}; }
  void release(Mark mark) { std::tie(current_, used_) = mark; }

  // Everything taken during the scope's life is released at its end.
  class Scope {
   public:
    explicit Scope(Arena& arena) : arena_(arena), mark_(arena.mark()) {}
    ~Scope() { arena_.release(mark_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Arena& arena_;
    const Mark mark_;
  };

 private:
  static constexpr size_t kChunk = size_t{1} << 20;
  struct Free {
    void operator()(void* p) const { ::operator delete (p, std::align_val_t{64}); }
  };
  struct Chunk {
    std::unique_ptr<void, Free> memory;
    size_t size;
  };
  std::vector<Chunk> chunks_;
  size_t current_ = 0, used_ = 0;
};

}  // namespace quern
