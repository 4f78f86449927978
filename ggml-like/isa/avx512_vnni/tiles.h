// Register tiles of 512-bit vectors: 24 accumulators of 32 registers. The tests run the same tiles over emulated
// vectors.
#pragma once

namespace quern {

struct Avx512Tiles {
  static constexpr bool act8_centered = false, matrix8 = false;
  static constexpr int act8_offset = 0, cols8 = 16, rows8 = 6, vectors8 = 4;
  static constexpr int rows4 = 6, pieces4 = 2;
  static constexpr int row_tile_rows = 4, row_tile_cols = 6, gemm_rows = 6, gemm_cols = 4;
};

}  // namespace quern
