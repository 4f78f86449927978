// How a kernel's function becomes a launch. Included by instances_*.cu, each of which instantiates one list of names.
#pragma once
#include <cuda_runtime.h>

#include "cuda/all_kernels.h"
#include "cuda/runtime.h"

namespace quern {
namespace cuda {

// How many blocks a processor must have room for: K::at_once, or one.
template <class K, class = void>
struct AtOnce {
  static constexpr int value = 1;
};
template <class K>
struct AtOnce<K, decltype(static_cast<void>(K::at_once))> {
  static constexpr int value = K::at_once;
};

template <class K>
static __global__ void __launch_bounds__(K::threads, AtOnce<K>::value) run_kernel(const __grid_constant__ K arguments) {
  compute(arguments);
}

using Launch = cudaError_t (*)(const Grid& grid, const void* arguments, cudaStream_t stream);

template <class K>
cudaError_t launch_kernel(const Grid& grid, const void* arguments, cudaStream_t stream) {
  constexpr int kFree = 48 << 10;  // of shared memory: more has to be asked for, of each device
  if (grid.shared > kFree) {
    const cudaError_t allowed =
        cudaFuncSetAttribute(run_kernel<K>, cudaFuncAttributeMaxDynamicSharedMemorySize, grid.shared);
    if (allowed != cudaSuccess) return allowed;
  }
  const dim3 blocks(static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y));
  run_kernel<K><<<blocks, K::threads, static_cast<size_t>(grid.shared), stream>>>(*static_cast<const K*>(arguments));
  return cudaGetLastError();
}

// A list's launches in its order.
template <class Names>
struct LaunchTable;
template <class... K>
struct LaunchTable<KernelNames<K...>> {
  static const Launch* all() {
    static const Launch launches[] = {launch_kernel<K>...};
    return launches;
  }
};

const Launch* row_launches();
const Launch* q8_launches();
const Launch* float_launches();
const Launch* split_launches();

}  // namespace cuda
}  // namespace quern
