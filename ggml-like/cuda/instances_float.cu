#include "cuda/launch.cuh"

const quern::cuda::Launch* quern::cuda::float_launches() {
  return LaunchTable<FloatKernelNames>::all();
}
