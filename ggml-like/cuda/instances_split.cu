#include "cuda/launch.cuh"

const quern::cuda::Launch* quern::cuda::split_launches() {
  return LaunchTable<SplitKernelNames>::all();
}
