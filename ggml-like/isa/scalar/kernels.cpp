// The reference: plain C++, one lane.
#include "isa/portable.h"
#include "isa/tables.h"

namespace quern {
namespace {

struct ScalarTiles {
  static constexpr bool act8_centered = false, matrix8 = false;
  static constexpr int act8_offset = 0, cols8 = 1, rows8 = 1, vectors8 = 16;
  static constexpr int rows4 = 1, pieces4 = 4;
  static constexpr int row_tile_rows = 1, row_tile_cols = 1, gemm_rows = 1, gemm_cols = 4;
};

}  // namespace

constinit const KernelTable scalar_kernels = make_kernel_table<Portable<1, ScalarTiles>>("scalar", always, QuantList{});

}  // namespace quern
