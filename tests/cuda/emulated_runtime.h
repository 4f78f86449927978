// A CUDA device that is emulated: the kernels of ggml-like/cuda over fibers (cuda/emulated.h), the memory the host's.
#pragma once
#include <memory>

#include "cuda/runtime.h"

namespace quern::test {

// Which of a block's threads goes on first: see cuda/emulated.h.
enum class Schedule { forward, backward, warps };
constexpr Schedule kSchedules[] = {Schedule::forward, Schedule::backward, Schedule::warps};

struct EmulatedOptions {
  Schedule schedule = Schedule::forward;
  int64_t memory = int64_t{4} << 30;  // bytes
  int64_t launches = INT64_MAX;       // after so many, the device is lost
  int index = 0, devices = 1;
};

// Freed by release(). Memory that is taken holds no numbers, and, but during copies and launches, cannot be touched.
cuda::Runtime* make_emulated_runtime(const EmulatedOptions& options);

inline std::shared_ptr<cuda::Runtime> emulated_runtime(const EmulatedOptions& options = {}) {
  return {make_emulated_runtime(options), [](cuda::Runtime* r) { r->release(); }};
}

}  // namespace quern::test
