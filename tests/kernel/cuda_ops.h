// Operators of the emulated CUDA device beside the host's on its scalar kernels: what both make of the same values.
#pragma once
#include <catch2/catch.hpp>
#include <cstring>
#include <functional>
#include <random>

#include "cuda/cuda_device.h"
#include "dispatch.h"
#include "emulated_runtime.h"
#include "host_device.h"
#include "host_ops.h"
#include "values.h"

namespace quern::test {

inline const KernelTable& scalar() {
  return find_kernels("scalar");
}

inline std::vector<float> numbers_of(Ops& op, const Tensor& x) {
  std::vector<float> room;
  const std::span<const float> values = op.read(x, room);
  return {values.begin(), values.end()};
}

inline Tensor tensor_of(Ops& op, const std::vector<float>& values, int64_t rows, int64_t cols) {
  const Tensor x = op.tensor(rows, cols);
  op.write(values, x);
  return x;
}

inline std::vector<float> some(unsigned seed, int64_t n, Values kind = Values::normal) {
  std::mt19937 random(seed);
  return values(random, static_cast<size_t>(n), kind);
}

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

using OnOps = std::function<std::vector<float>(Ops& op)>;

// run() gives the same bits on the host as on the device, in whatever order its threads go on. prepare: what a device
// wants to know of first.
inline void check_alike(const std::string& name, const OnOps& run, Precision precision = Precision::f32) {
  const std::unique_ptr<Ops> host = HostDevice(scalar()).ops({.precision = precision});
  const std::vector<float> expected = run(*host);
  for (const Schedule schedule : kSchedules) {
    const cuda::CudaDevice device(emulated_runtime({.schedule = schedule}));
    const std::unique_ptr<Ops> op = device.ops({.precision = precision});
    const std::vector<float> found = run(*op);
    INFO(name << ", schedule " << static_cast<int>(schedule));
    REQUIRE(found.size() == expected.size());
    size_t differ = 0, first = expected.size();
    for (size_t i = 0; i < expected.size(); ++i)
      if (std::memcmp(&found[i], &expected[i], sizeof(float)) != 0) differ += 1, first = std::min(first, i);
    if (differ == 0) {
      SUCCEED();
      continue;
    }
    INFO(differ << " of " << expected.size() << " differ, the first at " << first << ": " << found[first] << ", not "
                << expected[first]);
    CHECK(differ == 0);
  }
}

}  // namespace quern::test
