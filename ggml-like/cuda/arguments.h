// The kernels as data: what each is given, how many threads its blocks have, and how many blocks. The operators fill
// these in, kernels_*.h compute them, kernel_list.h numbers them. All pointers are the device's. C++17.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels.h"

namespace quern {
namespace cuda {

// A tensor.
struct DeviceRows {
  float* data;
  int64_t rows, cols, stride;
};

// ---- value by value: block (x: row, y: kColumns columns of it) ----
constexpr int64_t kColumns = 1024;
struct CopyRows {
  static constexpr int threads = 256;
  DeviceRows from, to;
};
struct GatherRows {
  static constexpr int threads = 256;
  DeviceRows from, to;
  const int64_t* rows;
};
struct ScaleRows {
  static constexpr int threads = 256;
  DeviceRows x;
  float factor;
};
struct AddRows {
  static constexpr int threads = 256;
  DeviceRows x, y;
};
struct CapRows {
  static constexpr int threads = 256;
  DeviceRows x;
  float cap;
};
struct GateRows {
  static constexpr int threads = 256;
  DeviceRows gate, up;
  Activation activation;
};
enum class TableValues : int32_t { f32, f16, bf16 };
struct LookUpRows {
  static constexpr int threads = 256;
  const void* table;
  TableValues values;
  const int32_t* ids;
  DeviceRows to;
  bool onto;  // added to what is there; ids may be -1
};
// One block for 32 × 32 values: x over columns of `from`, y over its rows.
struct TransposeRows {
  static constexpr int threads = 256;
  static constexpr int64_t tile = 32;
  static constexpr int shared = static_cast<int>(tile * (tile + 1) * 4);
  DeviceRows from, to;
};

// ---- row by row: 16 threads for each row, which are the lanes that its sum runs over ----
struct LayerNormRows {
  static constexpr int threads = 128, rows = threads / 16;
  DeviceRows from, to;
  const float *weight, *bias;  // bias may be null
  float eps;
};
struct RmsNormRows {  // of `parts` parts of each row: 1, or the heads
  static constexpr int threads = 128, rows = threads / 16;
  DeviceRows from, to;
  int64_t parts;
  const float* weight;
  float eps;
};
struct NormalizeRows {
  static constexpr int threads = 128, rows = threads / 16;
  DeviceRows x;
};

// ---- texts ----
struct TextRange {
  int64_t first, length;
  int64_t padded;  // where it begins if each text has room for whole 32 tokens
};
// Block (x: text, y: 256 columns).
struct PoolTexts {
  static constexpr int threads = 256;
  DeviceRows from, to;
  const TextRange* texts;
  Pooling mode;
};
// One block for a token: x.
struct RotateRows {
  static constexpr int threads = 128;
  DeviceRows x, angles;
  const int32_t* rows;  // of the angles, for each token
  int64_t heads, half;
  bool pairs;
};

// ---- products ----
// What follows a product's sum: activation(sum + bias) + residual; bias and residual may be null.
struct ProductEnd {
  const float* bias;
  const float* residual;
  int64_t residual_stride;
  Activation activation;
};

// f32 rows → codes of 8 bits, less 128, and for each group of `group` values a scale and a zero point, less 128. Codes
// stand `stride` apart, a multiple of kCodeRow, zeros behind K. A warp for each row and group: block (x: rows, y:
// groups).
constexpr int64_t kCodeRow = 128;
struct EncodeRows {
  static constexpr int threads = 128, rows = threads / 32;
  DeviceRows x;         // cols: K
  const float* smooth;  // K, or null
  int64_t group, groups, stride;
  int8_t* codes;
  float* scales;    // (rows, groups)
  int32_t* shifts;  // (rows, groups)
};
// Panels of 16 outputs and four k at a time → rows that stand `stride` apart, zeros behind K. Block (x: panels).
struct LayPanels {
  static constexpr int threads = 256, shared = 16 * (threads / 16 + 1) * 4;
  const int8_t* panels;  // of one group
  int64_t K, padded;     // of the group: as it is, and as the panels have it
  int64_t first;         // column of its first k
  int64_t stride;
  int64_t panel;  // the first of this launch
  int8_t* rows;
};
struct CodedRows {
  const int8_t* codes;
  const float* scales;
  const int32_t* shifts;  // the activations' zero points; of weights: their sums
};
// y = end(sum over groups of scale · scale · (integer sum)); of activations (M, groups), of weights (groups, padded N).
struct Q8ProductArguments {
  CodedRows x, w;
  int64_t M, N, padded_N, stride;  // bytes from one row of codes to the next, of both
  int64_t groups;
  ProductEnd end;
  float* y;
  int64_t y_stride;
};
// A block for rows × cols results: x over N, y over M; warps in a grid of warp_rows × warp_cols over it.
template <int rows_, int cols_, int warp_rows_, int warp_cols_, bool grouped_>
struct Q8Product : Q8ProductArguments {
  static constexpr int rows = rows_, cols = cols_, warp_rows = warp_rows_, warp_cols = warp_cols_;
  static constexpr int threads = 32 * warp_rows * warp_cols, depth = 64, stages = 3;
  static constexpr int shared = stages * (rows + cols) * depth;
  static constexpr bool grouped = grouped_;  // groups of 256 rather than one
};
using Q8Wide = Q8Product<128, 128, 2, 4, false>;
using Q8WideGroups = Q8Product<128, 128, 2, 4, true>;
using Q8Small = Q8Product<32, 64, 2, 2, false>;  // fewer rows than make enough wide blocks
using Q8SmallGroups = Q8Product<32, 64, 2, 2, true>;
constexpr int64_t kQ8Group = 256;

// Float weights as a file holds them. Sums over 16 lanes.
struct FloatProductArguments {
  DeviceRows x;         // cols: K
  const float* smooth;  // K, or null
  const void* w;        // (N, K)
  int64_t N;
  ProductEnd end;
  float* y;
  int64_t y_stride;
};
// A block for rows × cols results: x over N, y over M. Four threads for 8 × 4 results, four lanes each.
template <TableValues values_>
struct FloatProduct : FloatProductArguments {
  static constexpr TableValues values = values_;
  static constexpr int threads = 256, rows = 64, cols = 32, depth = 32, row_stride = depth + 4;
  static constexpr int shared = (rows + cols) * row_stride * static_cast<int>(sizeof(float));
};

// ---- attention ----
// So many queries are a block's.
constexpr int64_t kQueries = 48;
struct QueryBlock {
  int32_t text;
  int32_t first;  // of the text's tokens
};
struct AttentionArguments {
  const float *q, *k, *v;
  int64_t stride;  // of all three
  float* out;
  int64_t out_stride;
  const TextRange* texts;
  const QueryBlock* blocks;
  int64_t heads, kv_heads, d;
  float scale, softcap;
  int64_t before, after;
  const float* bias;  // of head 0, distance 0; null: none
  int64_t bias_stride;
};
// In f32. Block (x: of 32 queries, y: head).
template <int width_>
struct AttendF32 : AttentionArguments {
  static constexpr int width = width_;  // of d, with zeros
  static constexpr int queries = 32, keys = 32, threads = 128, row_stride = width + 4;
  static constexpr int shared =
      (queries * row_stride + keys * row_stride + queries * (keys + 1) + queries) * static_cast<int>(sizeof(float));
};

// In 16-bit integers, made of two bytes each: value = 256 · high + low.
struct SplitRows {
  int8_t *high, *low;
};
struct SplitAttention : AttentionArguments {
  // The largest magnitudes: (texts, heads), (texts, kv_heads), (texts, kv_heads · d); their floats' bits, zero at
  // first.
  int32_t *q_peaks, *k_peaks, *v_peaks;
  int64_t padded_d;  // a multiple of 32
  int64_t padded_T;  // of all texts, each with room for whole 32 tokens
  // (T, heads · padded_d), (T, kv_heads · padded_d), (kv_heads · d, padded_T): see key_place().
  SplitRows q_codes, k_codes, v_codes;
};
// Block (x: 48 tokens, y: heads of q, of k, of v).
struct FindPeaks : SplitAttention {
  static constexpr int threads = 256;
};
struct SplitValues : SplitAttention {
  static constexpr int threads = 256, rows = 64, row_stride = rows + 4;  // 48 tokens, and zeros up to whole 32
  static constexpr int shared = 2 * 32 * row_stride;
};
// Block (x: 48 queries, y: head and `cols` columns of it).
template <int steps_>
struct AttendI16 : SplitAttention {
  static constexpr int steps = steps_;                                 // of 32 values: padded_d / 32
  static constexpr int width = 32 * steps, threads = 96, at_once = 2;  // blocks of a processor: 255 registers
  static constexpr int cols = width < 64 || width > 128 ? 32 : 64, keys = 64, stages = 2;
  static constexpr int shared = stages * 2 * keys * (width + cols);
};

// Keys' places among 16 of the values' columns: so the probabilities that a thread computes are those that it
// multiplies.
constexpr int64_t key_place(int64_t key) {
  return (key & ~int64_t{15}) + (key & 7) / 2 * 4 + (key & 1) + (key & 8) / 4;
}

}  // namespace cuda
}  // namespace quern
