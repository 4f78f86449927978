// What kernels are written in: a GPU's instructions under names of quern's own. Compiled by nvcc they are the
// instructions; compiled for the host (emulated.h) they are computed by fibers, so that the same kernels run in the
// tests of a machine without a GPU. C++17.
//
//   where        thread() of the block · lane(), warp() · block_x(), block_y() · shared_memory(), to 16 bytes
//   together     sync_block() · sync_warp() · shuffle_xor(v, mask): the value of lane() ^ mask
//   copies       load_async16(shared, global, there): 16 bytes, or zeros · commit_async() · wait_async<N>(): until all
//                but the last N groups are there; visible to others after sync_block()
//   products     load_matrix4(r, shared): ldmatrix.x4, lane 8i + j names row j of matrix i
//                mma_s8(c, a, b0, b1): c (16 × 8) += a (16 × 32) · b (32 × 8), m16n8k32 of signed bytes
//   numbers      fused(a, b, c) · square_root · to_i32(x): to nearest even, INT32_MIN out of range, as x86 does
//                float_of_bits, bits_of_float · f16_value, bf16_value · max_bits(address, bits): atomic, of integers
#pragma once
#include <cstdint>

#if defined(__CUDACC__)
#include <cuda_fp16.h>

#define QUERN_GPU static __device__ __forceinline__
#define QUERN_UNROLL_SOME _Pragma("unroll 4")     // loads ahead of a chain of sums
#define QUERN_NO_UNROLL_HERE _Pragma("unroll 1")  // where registers are few

namespace quern {
namespace cuda {

QUERN_GPU int thread() {
  return static_cast<int>(threadIdx.x);
}
QUERN_GPU int lane() {
  return static_cast<int>(threadIdx.x & 31u);
}
QUERN_GPU int warp() {
  return static_cast<int>(threadIdx.x >> 5);
}
QUERN_GPU int64_t block_x() {
  return static_cast<int64_t>(blockIdx.x);
}
QUERN_GPU int64_t block_y() {
  return static_cast<int64_t>(blockIdx.y);
}
QUERN_GPU char* shared_memory() {
  extern __shared__ __align__(128) char quern_shared[];
  return quern_shared;
}
QUERN_GPU void sync_block() {
  __syncthreads();
}
QUERN_GPU void sync_warp() {
  __syncwarp();
}
QUERN_GPU float shuffle_xor(float v, int mask) {
  return __shfl_xor_sync(~0u, v, mask);
}
QUERN_GPU int32_t shuffle_xor(int32_t v, int mask) {
  return __shfl_xor_sync(~0u, v, mask);
}
QUERN_GPU void load_async16(void* shared, const void* global, bool there) {
  const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  const int bytes = there ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(to), "l"(global), "r"(bytes) : "memory");
}
QUERN_GPU void commit_async() {
  asm volatile("cp.async.commit_group;\n" ::: "memory");
}
template <int N>
QUERN_GPU void wait_async() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(N) : "memory");
}
QUERN_GPU void load_matrix4(uint32_t (&r)[4], const void* shared) {
  const unsigned from = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(from)
               : "memory");
}
QUERN_GPU void mma_s8(int32_t (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
               : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
QUERN_GPU float fused(float a, float b, float c) {
  return __fmaf_rn(a, b, c);
}
QUERN_GPU float square_root(float v) {
  return __fsqrt_rn(v);
}
QUERN_GPU int32_t to_i32(float v) {
  return v >= -2147483648.0f && v < 2147483648.0f ? __float2int_rn(v) : INT32_MIN;
}
QUERN_GPU float float_of_bits(int32_t v) {
  return __int_as_float(v);
}
QUERN_GPU int32_t bits_of_float(float v) {
  return __float_as_int(v);
}
QUERN_GPU float f16_value(uint16_t bits) {
  return __half2float(__ushort_as_half(bits));
}
QUERN_GPU void max_bits(int32_t* address, int32_t bits) {
  atomicMax(address, bits);
}

}  // namespace cuda
}  // namespace quern
#else
#include "cuda/emulated.h"
#endif

namespace quern {
namespace cuda {

QUERN_GPU float bf16_value(uint16_t bits) {
  return float_of_bits(static_cast<int32_t>(static_cast<uint32_t>(bits) << 16));
}

}  // namespace cuda
}  // namespace quern
