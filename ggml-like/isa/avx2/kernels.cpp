// AVX2 with FMA and F16C.
#include "cpu.h"
#include "isa/avx2/vocabulary.h"
#include "isa/tables.h"

namespace quern {
namespace {

// 12 accumulators of 16 registers; each holds four outputs.
struct Avx2Tiles {
  static constexpr bool act8_centered = true, matrix8 = false;
  static constexpr int act8_offset = 0, cols8 = 4, rows8 = 6, vectors8 = 1;
  static constexpr int rows4 = 3, pieces4 = 2;
  static constexpr int row_tile_rows = 4, row_tile_cols = 3, gemm_rows = 6, gemm_cols = 2;
};

}  // namespace

constinit const KernelTable avx2_kernels = make_kernel_table<Avx2Family<Avx2Tiles>>("avx2", cpu_has_avx2, QuantList{});

}  // namespace quern
