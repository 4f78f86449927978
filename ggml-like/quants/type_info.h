// A weight type as data: how its arrays lie in a file and in memory, and how rows are coded. One row of this per type
// (quants/list.h); the type's kernels are templates beside it, filled in for every ISA by isa/kernel_table.h.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace quern {

// What an array is made of: numbers, or rows as the type codes them.
enum class Element : uint8_t { f32, f16, i8, i32, rows };

// One array of a matrix: its tensor's name ends in ".<suffix>".
struct ArraySpec {
  const char* suffix;
  Element element;
  size_t (*bytes)(int64_t N, int64_t K) noexcept;
  void (*shape)(int64_t N, int64_t K, int64_t ne[4]) noexcept;  // ne[0] is contiguous; unused ones stay 1
};

// How an output's weights are rounded when a file is made.
struct Rounding {
  struct Factor {
    const float* values;
    int64_t stride;
    const float* row(int64_t i) const { return values + i * stride; }
  };
  // Upper Cholesky factors of the inverse of XᵀX, for the errors of earlier weights (quants/compensate.h): the first of
  // inputs 0 … together - 1, the next of as many behind them. Empty: every weight is rounded to nearest. Row types
  // ignore it.
  std::span<const Factor> U;
  int64_t together = 0;  // a multiple of 64, or K
  void (*gemm)(int64_t M, int64_t N, int64_t K, const float* A, int64_t lda, const float* B, int64_t ldb, float* C,
               int64_t ldc) noexcept = nullptr;  // KernelTable's, with U
  int largest_code = 0;                          // of a type that has levels
};

// A name under which a type is written with codes up to `largest_code`: fewer steps, but products that CPUs without a
// four-way dot product of bytes sum up faster (quants/q8/short_sums.h). Linears of more than `groups_from` inputs are
// written as TypeInfo::in_groups.
struct Level {
  const char* name;
  int largest_code;
  int64_t groups_from;
};

struct TypeInfo;

// A name under which a type is written with the linears that repay it most in a finer one: all but those into the
// feed-forward network.
struct Mix {
  const char* name;
  const TypeInfo* finer;
};

struct TypeInfo {
  const char* name;
  int64_t k_multiple;     // K must be a multiple of this
  bool int8_activations;  // false: activations stay f32
  bool rows;              // true: row-major and row-coded, also good for look-up tables; false: panels of 16 outputs
  int n_arrays;
  ArraySpec arrays[4];

  // w: outputs [n0, n1) of an N × K matrix, row-major, w pointing at row n0; n0 is a multiple of 16 and n1 too or N.
  // Fills those outputs' part of the arrays (64-byte aligned, as arrays[].bytes sizes them). Null for types that quern
  // only reads. Calls for different outputs may run at the same time.
  void (*pack)(const float* w, int64_t N, int64_t K, int64_t n0, int64_t n1, const Rounding& rounding,
               void* const* arrays);
  // Output n of a packed matrix as K floats; the inverse of pack but for rounding.
  void (*unpack)(const void* const* arrays, int64_t N, int64_t K, int64_t n, float* out) noexcept;

  // Row types only. One row of K values; encode rounds to nearest, and is null for types that quern only reads.
  void (*decode)(const void* row, float* out, int64_t K) noexcept;
  void (*encode)(const float* x, void* row, int64_t K) noexcept;

  int64_t group = 0;             // how many of an output's weights share a scale; 0: all
  int64_t activation_group = 0;  // how many of a row's activations do; 0: all
  float steps = 0;  // between the largest and the smallest of the weights, for choosing smoothing factors; panel types
                    // only (of those with levels: twice the largest code)
  Level levels[2] = {};  // the coarser first; none: it is written under its own name alone
  Mix mix = {};          // none: no name
  // The same with more scales, for linears of many inputs (Level::groups_from); null: there is none.
  const TypeInfo* in_groups = nullptr;

  // Row types whose products run from panels that are made when a file is loaded. panel_bytes: of
  // Matrix::arrays[array], 0 for those that there are not. make_panels: of outputs [n0, n1), n0 a multiple of 16; calls
  // for different outputs may run at the same time. Null: products run from what the file holds.
  size_t (*panel_bytes)(int64_t N, int64_t K, int array) noexcept = nullptr;
  void (*make_panels)(const void* rows, int64_t N, int64_t K, int64_t n0, int64_t n1,
                      void* const* panels) noexcept = nullptr;

  size_t row_bytes(int64_t K) const { return arrays[0].bytes(1, K); }
};

// pack and unpack of every row type.
template <class T>
void pack_rows(const float* w, int64_t, int64_t K, int64_t n0, int64_t n1, const Rounding&, void* const* arrays) {
  for (int64_t n = n0; n < n1; ++n)
    T::info.encode(w + (n - n0) * K, static_cast<char*>(arrays[0]) + static_cast<size_t>(n) * T::info.row_bytes(K), K);
}
template <class T>
void unpack_row(const void* const* arrays, int64_t, int64_t K, int64_t n, float* out) noexcept {
  T::info.decode(static_cast<const char*>(arrays[0]) + static_cast<size_t>(n) * T::info.row_bytes(K), out, K);
}

}  // namespace quern
