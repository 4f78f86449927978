// How a product is cut into register tiles; shared by the kernels of all types. Included by ISA-flagged files only.
#pragma once
#include <cstdint>

#if defined(QUERN_NO_UNROLL)  // the tests' emulated vectors, which need not be fast
#define QUERN_UNROLL
#elif defined(__clang__)
#define QUERN_UNROLL _Pragma("unroll")
#else
#define QUERN_UNROLL _Pragma("GCC unroll 16")
#endif
#define QUERN_INLINE inline __attribute__((always_inline))

namespace quern {

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

}  // namespace quern
