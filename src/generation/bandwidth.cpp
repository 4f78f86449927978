#include "generation/bandwidth.h"

#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <new>

#include "os/memory.h"

namespace quern {
namespace {

constexpr size_t kBuffer = size_t{256} << 20, kBlock = size_t{1} << 20;

// Four streams of additions: bound by loads, not by latency.
uint64_t read_block(const uint64_t* p, size_t n) {
  typedef uint64_t Lanes __attribute__((vector_size(32)));
  Lanes a{}, b{}, c{}, d{};
  const Lanes* v = reinterpret_cast<const Lanes*>(p);
  for (size_t i = 0; i < n / 4; i += 4) {
    a += v[i];
    b += v[i + 1];
    c += v[i + 2];
    d += v[i + 3];
  }
  a += b + c + d;
  return a[0] + a[1] + a[2] + a[3];
}

}  // namespace

uint64_t weight_bytes(const LoadedModel& model) {
  uint64_t bytes = 0;
  for (const WeightSpec& spec : model.weights.specs) {
    if (!spec.linear) continue;
    for (const Linear::Part& part : spec.linear->parts) {
      const TypeInfo& type = *part.w.type;
      if (type.make_panels)
        for (int i = 0; i < 4; ++i) bytes += type.panel_bytes(part.w.N, part.w.K, i);
      else
        for (int i = 0; i < type.n_arrays; ++i) bytes += type.arrays[i].bytes(part.w.N, part.w.K);
    }
  }
  return bytes;
}

double read_bandwidth(Pool& pool, double seconds) {
  using Clock = std::chrono::steady_clock;
  struct Free {
    void operator()(void* p) const { os::free_aligned(p); }
  };
  const std::unique_ptr<void, Free> buffer(os::aligned_memory(kBlock * 2, kBuffer));
  if (!buffer) throw std::bad_alloc();
  os::prefer_huge_pages(buffer.get(), kBuffer);
  std::memset(buffer.get(), 1, kBuffer);
  std::atomic<uint64_t> sink{0};
  const auto start = Clock::now();
  double passed = 0, bytes = 0;
  do {
    pool.run(static_cast<int64_t>(kBuffer / kBlock), [&](int64_t block, Arena&) {
      const auto* p = reinterpret_cast<const uint64_t*>(static_cast<const char*>(buffer.get()) +
                                                        static_cast<size_t>(block) * kBlock);
      sink.fetch_add(read_block(p, kBlock / sizeof(uint64_t)), std::memory_order_relaxed);
    });
    bytes += static_cast<double>(kBuffer);
    passed = std::chrono::duration<double>(Clock::now() - start).count();
  } while (passed < seconds);
  return bytes / passed;
}

}  // namespace quern
