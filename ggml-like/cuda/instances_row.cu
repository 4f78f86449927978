#include "cuda/launch.cuh"

const quern::cuda::Launch* quern::cuda::row_launches() {
  return LaunchTable<RowKernelNames>::all();
}
