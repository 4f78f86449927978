// The plug-in: Runtime over CUDA, and the two entries by which quern opens it. It needs libc and the driver alone: the
// CUDA runtime is linked in, and opens the driver when it is first asked for a device. No exceptions, no C++ library.
#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "cuda/launch.cuh"

#if !defined(QUERN_CUDA_BUILD_ID)
#error "QUERN_CUDA_BUILD_ID: see CMakeLists.txt"
#endif

namespace quern {
namespace cuda {
namespace {

Launch launch_of(int kernel) {
  constexpr int rows = RowKernelNames::size, q8 = Q8KernelNames::size, floats = FloatKernelNames::size;
  if (kernel < rows) return row_launches()[kernel];
  if (kernel < rows + q8) return q8_launches()[kernel - rows];
  if (kernel < rows + q8 + floats) return float_launches()[kernel - rows - q8];
  return split_launches()[kernel - rows - q8 - floats];
}

// Without operator new, which is the C++ library's.
template <class T, class... A>
T* make(A... arguments) {
  void* const room = std::malloc(sizeof(T));
  return room ? new (room) T(arguments...) : nullptr;
}
template <class T>
void unmake(T* object) {
  object->~T();
  std::free(object);
}

class CudaStream final : public Stream {
 public:
  explicit CudaStream(int device) : device_(device) {}
  bool begin() {
    return use() && cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking) == cudaSuccess &&
           cudaMallocHost(&ring_, kRing) == cudaSuccess;
  }
  ~CudaStream() {
    if (!use()) return;
    if (stream_) cudaStreamSynchronize(stream_);
    if (ring_) cudaFreeHost(ring_);
    if (stream_) cudaStreamDestroy(stream_);
  }

  Outcome launch(int kernel, const Grid& grid, const void* arguments) noexcept override {
    return use() ? told(launch_of(kernel)(grid, arguments, stream_)) : Outcome::failed;
  }
  // Through a ring of pinned memory, half of which is filled while the other is on its way.
  Outcome upload(void* to, const void* from, size_t bytes) noexcept override {
    if (!use()) return Outcome::failed;
    for (size_t done = 0; done < bytes;) {
      if (at_ == kRing) at_ = 0;
      if (at_ % (kRing / 2) == 0) {  // a half that is begun anew must have gone
        const Outcome waited = told(cudaStreamSynchronize(stream_));
        if (waited != Outcome::ok) return waited;
      }
      const size_t left = kRing / 2 - at_ % (kRing / 2), n = bytes - done < left ? bytes - done : left;
      std::memcpy(ring_ + at_, static_cast<const char*>(from) + done, n);
      const cudaError_t e =
          cudaMemcpyAsync(static_cast<char*>(to) + done, ring_ + at_, n, cudaMemcpyHostToDevice, stream_);
      if (e != cudaSuccess) return told(e);
      done += n;
      at_ += n;
    }
    return Outcome::ok;
  }
  Outcome clear(void* to, size_t bytes) noexcept override {
    return use() ? told(cudaMemsetAsync(to, 0, bytes, stream_)) : Outcome::failed;
  }
  Outcome download(void* to, const void* from, size_t bytes) noexcept override {
    if (!use()) return Outcome::failed;
    const Outcome copied = told(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_));
    return copied == Outcome::ok ? told(cudaStreamSynchronize(stream_)) : copied;
  }
  const char* why() const noexcept override { return why_; }
  void release() noexcept override { unmake(this); }

 private:
  static constexpr size_t kRing = size_t{8} << 20;

  bool use() noexcept { return told(cudaSetDevice(device_)) == Outcome::ok; }
  Outcome told(cudaError_t e) noexcept {
    if (e == cudaSuccess) return Outcome::ok;
    std::snprintf(why_, sizeof(why_), "%s (%s)", cudaGetErrorString(e), cudaGetErrorName(e));
    return e == cudaErrorMemoryAllocation ? Outcome::no_memory : Outcome::failed;
  }

  const int device_;
  cudaStream_t stream_ = nullptr;
  char* ring_ = nullptr;
  size_t at_ = 0;
  char why_[256] = "";
};

class CudaRuntime final : public Runtime {
 public:
  explicit CudaRuntime(const DeviceFacts& facts) : facts_(facts) {}

  DeviceFacts facts() noexcept override {
    size_t free = 0, total = 0;
    if (cudaSetDevice(facts_.index) == cudaSuccess && cudaMemGetInfo(&free, &total) == cudaSuccess)
      facts_.free_memory = static_cast<int64_t>(free);
    return facts_;
  }
  void* allocate(size_t bytes) noexcept override {
    void* p = nullptr;
    if (cudaSetDevice(facts_.index) == cudaSuccess && cudaMalloc(&p, bytes) == cudaSuccess) return p;
    cudaGetLastError();  // no room is no failure of what follows
    return nullptr;
  }
  void free(void* memory) noexcept override {
    if (cudaSetDevice(facts_.index) == cudaSuccess) cudaFree(memory);
  }
  Stream* stream() noexcept override {
    CudaStream* const s = make<CudaStream>(facts_.index);
    if (s && s->begin()) return s;
    if (s) s->release();
    return nullptr;
  }
  void release() noexcept override { unmake(this); }

 private:
  DeviceFacts facts_;
};

Outcome refuse(char* why, size_t room, Outcome outcome, const char* format, int a = 0, int b = 0, int c = 0,
               int d = 0) {
  std::snprintf(why, room, format, a, b, c, d);
  return outcome;
}

Outcome open_device(int index, Runtime** runtime, char* why, size_t room) {
  DeviceFacts facts = {};
  cudaDriverGetVersion(&facts.driver);
  cudaRuntimeGetVersion(&facts.runtime);
  if (facts.driver == 0)
    return refuse(why, room, Outcome::no_driver,
                  "no NVIDIA driver is here (libcuda.so.1): install the driver of this machine's GPU");
  const cudaError_t counted = cudaGetDeviceCount(&facts.devices);
  if (counted == cudaErrorInsufficientDriver || facts.driver / 1000 < facts.runtime / 1000)
    return refuse(why, room, Outcome::old_driver,
                  "the NVIDIA driver is too old: it offers CUDA %d.%d, and the plug-in needs %d.%d or newer",
                  facts.driver / 1000, facts.driver % 1000 / 10, facts.runtime / 1000, 0);
  if (counted == cudaErrorNoDevice || (counted == cudaSuccess && facts.devices == 0))
    return refuse(why, room, Outcome::no_driver, "the NVIDIA driver sees no GPU (CUDA_VISIBLE_DEVICES may hide it)");
  if (counted != cudaSuccess) {
    std::snprintf(why, room, "the NVIDIA driver does not answer: %s (%s)", cudaGetErrorString(counted),
                  cudaGetErrorName(counted));
    return Outcome::no_driver;
  }
  if (index < 0 || index >= facts.devices)
    return refuse(why, room, Outcome::no_such_device, "there is no CUDA device %d: expected 0 to %d", index,
                  facts.devices - 1);
  cudaDeviceProp properties;
  const cudaError_t asked = cudaGetDeviceProperties(&properties, index);
  if (asked != cudaSuccess) {
    std::snprintf(why, room, "CUDA device %d does not answer: %s", index, cudaGetErrorString(asked));
    return Outcome::failed;
  }
  std::snprintf(facts.name, sizeof(facts.name), "%.95s", properties.name);
  facts.index = index;
  facts.major = properties.major;
  facts.minor = properties.minor;
  facts.memory = static_cast<int64_t>(properties.totalGlobalMem);
  cudaFuncAttributes attributes;
  if (facts.major < 8 || cudaSetDevice(index) != cudaSuccess ||
      cudaFuncGetAttributes(&attributes, run_kernel<CopyRows>) != cudaSuccess) {
    cudaGetLastError();
    std::snprintf(why, room,
                  "CUDA device %d (%s) has compute capability %d.%d: the plug-in's kernels need 8.0 or newer", index,
                  facts.name, facts.major, facts.minor);
    return Outcome::no_kernels;
  }
  *runtime = make<CudaRuntime>(facts);
  return *runtime ? Outcome::ok : refuse(why, room, Outcome::no_memory, "out of memory");
}

}  // namespace
}  // namespace cuda
}  // namespace quern

extern "C" {

__attribute__((visibility("default"))) const char* quern_cuda_build_id() {
  return QUERN_CUDA_BUILD_ID;
}

__attribute__((visibility("default"))) quern::cuda::Outcome quern_cuda_open(const char* build_id, int index,
                                                                            quern::cuda::Runtime** runtime, char* why,
                                                                            size_t room) {
  if (std::strcmp(build_id, QUERN_CUDA_BUILD_ID) != 0)
    return quern::cuda::refuse(why, room, quern::cuda::Outcome::failed, "the build ids differ");
  return quern::cuda::open_device(index, runtime, why, room);
}

}  // extern "C"
