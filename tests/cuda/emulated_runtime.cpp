#include "emulated_runtime.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>

#include "cuda/all_kernels.h"

namespace quern::test {
namespace {

using namespace quern::cuda;

struct Body {
  void (*run)(const void* arguments);
  int threads;
};
template <class Names>
struct Bodies;
template <class... K>
struct Bodies<KernelNames<K...>> {
  static constexpr Body all[] = {
      {[](const void* arguments) { compute(*static_cast<const K*>(arguments)); }, K::threads}...};
};

emulation::Order order_of(Schedule schedule) {
  switch (schedule) {
    case Schedule::backward:
      return emulation::Order::backward;
    case Schedule::warps:
      return emulation::Order::warps;
    default:
      return emulation::Order::forward;
  }
}

std::mutex one_launch;  // the machine is one for all

class EmulatedRuntime final : public Runtime {
 public:
  explicit EmulatedRuntime(const EmulatedOptions& options) : options_(options), left_(options.launches) {}
  ~EmulatedRuntime() {
    for (const auto& [p, bytes] : blocks_) munmap(p, bytes);
  }

  DeviceFacts facts() noexcept override {
    const std::lock_guard lock(one_launch);
    DeviceFacts f{"emulated", options_.index,  options_.devices,       8, 0, 13000,
                  13000,      options_.memory, options_.memory - used_};
    return f;
  }
  void* allocate(size_t bytes) noexcept override {
    const std::lock_guard lock(one_launch);
    bytes = (bytes + 4095) & ~size_t{4095};
    if (used_ + static_cast<int64_t>(bytes) > options_.memory) return nullptr;
    void* const p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return nullptr;
    std::memset(p, 0xff, bytes);  // floats that are no numbers
    used_ += static_cast<int64_t>(bytes);
    blocks_[p] = bytes;
    mprotect(p, bytes, PROT_NONE);
    return p;
  }
  void free(void* memory) noexcept override {
    const std::lock_guard lock(one_launch);
    const auto found = blocks_.find(memory);
    if (found == blocks_.end()) return;
    used_ -= static_cast<int64_t>(found->second);
    munmap(memory, found->second);
    blocks_.erase(found);
  }
  Stream* stream() noexcept override;
  void release() noexcept override { delete this; }

  // f() with the device's memory open; false: the device is lost.
  template <class F>
  bool with_memory(bool launches, const F& f) {
    const std::lock_guard lock(one_launch);
    if (launches && left_ > 0) --left_;
    if (left_ == 0) return false;
    open(PROT_READ | PROT_WRITE);
    f();
    open(PROT_NONE);
    return true;
  }
  emulation::Order order() const { return order_of(options_.schedule); }

 private:
  void open(int how) {
    for (const auto& [p, bytes] : blocks_) mprotect(p, bytes, how);
  }
  const EmulatedOptions options_;
  int64_t used_ = 0, left_;
  std::map<void*, size_t> blocks_;
};

class EmulatedStream final : public Stream {
 public:
  explicit EmulatedStream(EmulatedRuntime& runtime) : runtime_(runtime) {}
  Outcome launch(int kernel, const Grid& grid, const void* arguments) noexcept override {
    const Body& body = Bodies<AllKernelNames>::all[kernel];
    return told(runtime_.with_memory(
        true, [&] { emulation::machine().run(body.run, arguments, body.threads, grid, runtime_.order()); }));
  }
  Outcome upload(void* to, const void* from, size_t bytes) noexcept override { return copied(to, from, bytes); }
  Outcome download(void* to, const void* from, size_t bytes) noexcept override { return copied(to, from, bytes); }
  Outcome clear(void* to, size_t bytes) noexcept override {
    return told(runtime_.with_memory(false, [&] { std::memset(to, 0, bytes); }));
  }
  const char* why() const noexcept override { return "the emulated device is lost"; }
  void release() noexcept override { delete this; }

 private:
  Outcome copied(void* to, const void* from, size_t bytes) {
    return told(runtime_.with_memory(false, [&] { std::memcpy(to, from, bytes); }));
  }
  static Outcome told(bool ok) { return ok ? Outcome::ok : Outcome::failed; }
  EmulatedRuntime& runtime_;
};

Stream* EmulatedRuntime::stream() noexcept {
  return new EmulatedStream(*this);
}

}  // namespace

cuda::Runtime* make_emulated_runtime(const EmulatedOptions& options) {
  return new EmulatedRuntime(options);
}

}  // namespace quern::test
