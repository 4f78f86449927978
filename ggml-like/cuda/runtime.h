// What the operators need of a GPU: memory, copies, and kernels by number. Two implementations: CUDA's, in the plug-in
// (plugin.cu), and the emulated one of the tests. Nothing here throws or knows C++'s library, so that it may cross from
// one shared library to another; both are built from the same headers, which the build id says. C++17.
#pragma once
#include <cstddef>
#include <cstdint>

namespace quern {
namespace cuda {

// Blocks of a launch, and bytes of shared memory that each asks for.
struct Grid {
  int64_t x = 1;  // up to 2^31 - 1
  int32_t y = 1;  // up to 65,535
  int32_t shared = 0;
};

struct DeviceFacts {
  char name[96];
  int index, devices;           // of so many that are there
  int major, minor;             // its compute capability
  int driver, runtime;          // CUDA versions as 1000 · major + 10 · minor: the driver's and what was linked
  int64_t memory, free_memory;  // bytes
};

enum class Outcome : int {
  ok,
  no_driver,       // none that can be used; or no device
  old_driver,      // older than what the plug-in was built with
  no_such_device,  // the index is out of range
  no_kernels,      // none that the device runs
  no_memory,
  failed,  // anything else; the device may be lost
};

// A queue of work: what it is given runs in order. Belongs to one thread at a time. After a failure all else fails too.
class Stream {
 public:
  // kernel: its number in kernel_list.h; arguments: that kernel's struct, read before the call returns.
  virtual Outcome launch(int kernel, const Grid& grid, const void* arguments) noexcept = 0;
  virtual Outcome upload(void* to, const void* from, size_t bytes) noexcept = 0;    // `from` may change when it returns
  virtual Outcome clear(void* to, size_t bytes) noexcept = 0;                       // zeros
  virtual Outcome download(void* to, const void* from, size_t bytes) noexcept = 0;  // waits for all that came before
  virtual const char* why() const noexcept = 0;                                     // what failed
  virtual void release() noexcept = 0;                                              // in place of delete

 protected:
  ~Stream() = default;
};

// One device. Any number of threads may use one.
class Runtime {
 public:
  virtual DeviceFacts facts() noexcept = 0;
  virtual void* allocate(size_t bytes) noexcept = 0;  // to 256 bytes; null: there is no room
  virtual void free(void* memory) noexcept = 0;
  virtual Stream* stream() noexcept = 0;  // null: there is no room
  virtual void release() noexcept = 0;

 protected:
  ~Runtime() = default;
};

// The plug-in's one entry, of C's linkage: the device of that index, or why there is none, in one sentence.
constexpr char kEntry[] = "quern_cuda_open";
using OpenRuntime = Outcome (*)(const char* build_id, int index, Runtime** runtime, char* why, size_t room);
// Where build ids differ: what the plug-in was built with. The second entry, which never changes.
constexpr char kBuildIdEntry[] = "quern_cuda_build_id";
using BuildId = const char* (*)();

}  // namespace cuda
}  // namespace quern
