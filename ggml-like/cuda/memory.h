// A device's memory and what throws for it.
#pragma once
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "cuda/runtime.h"
#include "error.h"
#include "mebibytes.h"

namespace quern::cuda {

[[noreturn]] inline void refuse_memory(Runtime& runtime, size_t bytes, const char* what) {
  const DeviceFacts facts = runtime.facts();
  throw Error(Status::out_of_memory, std::string(facts.name) + ": no room for " + mebibytes(bytes) + " of " + what +
                                         "; " + mebibytes(static_cast<uint64_t>(facts.free_memory)) +
                                         " are free (fewer layers there, --gpu-layers, or smaller batches take less)");
}

struct DeviceFree {
  Runtime* runtime;
  void operator()(char* p) const { runtime->free(p); }
};
using DeviceMemoryBlock = std::unique_ptr<char, DeviceFree>;

// Throws Error{out_of_memory}.
inline DeviceMemoryBlock take_memory(Runtime& runtime, size_t bytes, const char* what) {
  char* const p = static_cast<char*>(runtime.allocate(bytes > 0 ? bytes : 1));
  if (p == nullptr) refuse_memory(runtime, bytes, what);
  return DeviceMemoryBlock(p, DeviceFree{&runtime});
}

struct StreamRelease {
  void operator()(Stream* s) const { s->release(); }
};
using StreamOwner = std::unique_ptr<Stream, StreamRelease>;

// Throws Error where a call of a stream failed: the stream is of no more use then.
inline void check(Stream& stream, Outcome outcome) {
  if (outcome == Outcome::ok) return;
  throw Error(outcome == Outcome::no_memory ? Status::out_of_memory : Status::internal,
              std::string("the CUDA device failed: ") + stream.why());
}

// Scratch memory on a device, as Arena is on the host.
class DeviceArena {
 public:
  DeviceArena(Runtime& runtime, size_t chunk) : runtime_(runtime), chunk_(chunk) {}

  void* take(size_t bytes) {
    bytes = (bytes + 255) & ~size_t{255};
    while (current_ < chunks_.size() && used_ + bytes > chunks_[current_].size) {
      ++current_;
      used_ = 0;
    }
    if (current_ == chunks_.size()) {
      const size_t size = bytes > chunk_ ? bytes : chunk_;
      chunks_.push_back({take_memory(runtime_, size, "scratch"), size});
      used_ = 0;
    }
    void* const p = chunks_[current_].memory.get() + used_;
    used_ += bytes;
    return p;
  }
  using Mark = std::pair<size_t, size_t>;
  Mark mark() const { return {current_, used_}; }
  void release(Mark mark) { std::tie(current_, used_) = mark; }

 private:
  struct Chunk {
    DeviceMemoryBlock memory;
    size_t size;
  };
  Runtime& runtime_;
  const size_t chunk_;
  std::vector<Chunk> chunks_;
  size_t current_ = 0, used_ = 0;
};

}  // namespace quern::cuda
