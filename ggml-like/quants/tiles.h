// How a product is cut into register tiles; shared by the kernels of all types. Included by ISA-flagged files only.
#pragma once
#include <cstdint>

#if defined(QUERN_NO_UNROLL)  // the tests' emulated vectors, which need not be fast
#define QUERN_UNROLL
#elif defined(__clang__) || defined(__CUDACC__)
#define QUERN_UNROLL _Pragma("unroll")
#else
#define QUERN_UNROLL _Pragma("GCC unroll 16")
#endif
#if defined(__CUDACC__)
#define QUERN_INLINE __host__ __device__ __forceinline__
#else
#define QUERN_INLINE inline __attribute__((always_inline))
#endif
#if !defined(QUERN_INLINED)  // after a lambda's parameters: it becomes a function otherwise, accumulators go to memory
#define QUERN_INLINED __attribute__((always_inline))
#endif

namespace quern {

// f.operator()<i>() for i < n, each a constant.
template <int n, class F, int i = 0>
QUERN_INLINE void unrolled(const F& f) {
  if constexpr (i < n) {
    f.template operator()<i>();
    unrolled<n, F, i + 1>(f);
  }
}

// Calls tile<R>(first) for consecutive blocks of rows: R = MR while they last, one smaller tile for the rest.
template <int R, class Tile>
QUERN_INLINE void one_tile_of(int64_t rows, int64_t first, const Tile& tile) {
  if constexpr (R > 0) {
    if (rows == R)
      tile.template operator()<R>(first);
    else
      one_tile_of<R - 1>(rows, first, tile);
  }
}

template <int MR, class Tile>
QUERN_INLINE void for_tiles(int64_t M, const Tile& tile) {
  int64_t m = 0;
  for (; m + MR <= M; m += MR) tile.template operator()<MR>(m);
  one_tile_of<MR - 1>(M - m, m, tile);
}

// Calls strip<V>(first, valid) over N columns: V = MV vectors while they last, then ever narrower strips, of which the
// last one may have fewer valid columns than lanes.
template <class S, int MV, class Strip>
QUERN_INLINE void for_strips(int64_t N, const Strip& strip) {
  int64_t n = 0;
  for (; n + MV * S::lanes <= N; n += MV * S::lanes) strip.template operator()<MV>(n, MV * S::lanes);
  if constexpr (MV > 2)
    for (; n + 2 * S::lanes <= N; n += 2 * S::lanes) strip.template operator()<2>(n, 2 * S::lanes);
  for (; n < N; n += S::lanes) strip.template operator()<1>(n, N - n < S::lanes ? N - n : S::lanes);
}

// A chain of dot products of small codes or of signed bytes goes on, or begins.
template <class S, bool begins>
QUERN_INLINE typename S::Acc4 chain4(typename S::Acc4 acc, typename S::W4 w, typename S::A4 a) {
  if constexpr (!begins)
    return S::dot4(acc, w, a);
  else if constexpr (S::wide4)
    return S::dot4(S::zero4(), w, a);
  else
    return S::first4(w, a);
}
template <class S, bool begins>
QUERN_INLINE typename S::AccS chain_s(typename S::AccS acc, typename S::WS w, typename S::AS a) {
  if constexpr (!begins)
    return S::dot_s(acc, w, a);
  else if constexpr (S::wide4)
    return S::dot_s(S::zero_s(), w, a);
  else
    return S::first_s(w, a);
}

// Of codes that are read once, and in order: prefetchers stop at the ends of pages, which is 0 to 4 % of generating.
template <class S>
QUERN_INLINE void prefetch_ahead(const void* codes, int64_t bytes) {
  for (int64_t line = 0; line < bytes; line += 64)
    __builtin_prefetch(static_cast<const char*>(codes) + 3072 + line, 0, 2);
}

}  // namespace quern
