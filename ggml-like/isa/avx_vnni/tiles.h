// Register tiles of 256-bit vectors with a four-way dot product: 12 accumulators of 16 registers.
#pragma once

namespace quern {

struct AvxVnniTiles {
  static constexpr bool act8_centered = false, matrix8 = false;
  static constexpr int act8_offset = 0, cols8 = 8, rows8 = 6, vectors8 = 2;
  static constexpr int rows4 = 3, pieces4 = 2;
  static constexpr int row_tile_rows = 4, row_tile_cols = 3, gemm_rows = 6, gemm_cols = 2;
};

}  // namespace quern
