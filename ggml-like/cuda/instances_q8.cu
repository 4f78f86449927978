#include "cuda/launch.cuh"

const quern::cuda::Launch* quern::cuda::q8_launches() {
  return LaunchTable<Q8KernelNames>::all();
}
