// What one ISA offers: a table of functions that host_*.cpp call. Kernels are noexcept, allocate nothing and check
// nothing. All of them give the same bits whatever the ISA.
//
// Weights of every type go through the same three steps, so that a type is a row of this table and not a case
// somewhere:
//   row_bytes  size of one prepared row of activations
//   prepare    f32 activations → what the type's dot product takes (u8 with a scale, blocks of s8, …), row by row
//   multiply   prepared rows × weights → f32, and the epilogue while a tile's results are in L1
// A row's result never depends on the other rows, on M, or on how the columns are split.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

#include "tensor.h"

namespace quern {

enum class Activation : uint8_t { none, gelu, gelu_tanh, relu, silu, tanh, sigmoid };

// One text's last hidden states → one vector.
enum class Pooling : uint8_t {
  first,  // of its first token
  last,   // of its last
  max,    // value by value
  mean,
  mean_sqrt_len,  // the sum by the square root of the number of tokens
  weighted_mean,  // token t of 1 … L weighs t
};

constexpr int kTypes = 19;  // as many as quants/list.h has

// What follows a product: y = activation(y + bias) + residual. bias and residual may be null; both begin at y's first
// column, residual at its first row too.
struct Epilogue {
  const float* bias = nullptr;
  Activation activation = Activation::none;
  const float* residual = nullptr;
  int64_t residual_stride = 0;
};

struct TypeKernels {
  // Bytes of one prepared row, a multiple of 64.
  size_t (*row_bytes)(int64_t K) noexcept;
  // x: K floats; smooth: K factors that x is multiplied by first, or null; row: 64-byte aligned.
  void (*prepare)(const float* x, const float* smooth, int64_t K, void* row) noexcept;
  // y[m * stride + n - n0] = epilogue(dot(x_m, w_n)) for m < M and n0 <= n < n0 + N. Panel types want n0 % 16 == 0.
  // scratch: scratch_bytes(w), 64-byte aligned.
  void (*multiply)(const void* rows, int64_t M, const Matrix& w, int64_t n0, int64_t N, const Epilogue& e, float* y,
                   int64_t stride, void* scratch) noexcept;
  // What multiply does once it has q8's raw integer sums, acc: M rows of w.N and 64 bytes more that may be read. For
  // back ends; null for other types.
  void (*from_sums)(const int32_t* acc, const void* rows, int64_t M, const Matrix& w, const Epilogue& e, float* y,
                    int64_t stride) noexcept;
  // The exact integer sums behind multiply, for the parity test: acc[(m * N + n) * groups + g], groups = 1 or
  // as many as an output has scales. Null for float types.
  void (*accumulate)(const void* rows, int64_t M, const Matrix& w, int32_t* acc) noexcept;
  // What this ISA's products run from in place of the file's arrays, for Matrix::adopted: made once when a model is
  // loaded. Throws std::bad_alloc. Null: they run from the arrays.
  std::shared_ptr<const void> (*adopt)(const Matrix& w) = nullptr;
  size_t (*scratch_bytes)(const Matrix& w) noexcept = nullptr;  // null: none
};

// One head of one text: q, k, v and out have L rows of d values, row strides `stride` and `out_stride`.
// out = softmax(softcap(scale · q·kᵀ) + bias) · v, where query i sees keys i - before … i + after.
struct AttentionHead {
  const float *q, *k, *v;
  int64_t stride, L, d;
  float scale;
  float* out;
  int64_t out_stride;
  int64_t before, after;        // 0 or more; L - 1 or more: no limit
  const float* bias = nullptr;  // of query i and key j: bias[i * bias_stride + j]; null: none
  int64_t bias_stride = 0;      // -1 for a bias that depends on j - i alone
  float softcap = 0;            // 0: none; else scores become softcap · tanh(score / softcap), before the bias
};

struct AttentionKernel {
  size_t (*scratch_bytes)(int64_t L, int64_t d) noexcept;
  void (*run)(const AttentionHead& head, void* scratch) noexcept;  // scratch: 64-byte aligned
};

// Keys and values of one head that a decoder has kept, in pages of kPageTokens tokens, and the rows of queries that
// look at them. The state of a row, which attend() goes on from: top, the largest score so far (at first -inf), total,
// the sum of exp(score - top), and out, that of exp(score - top) · v (at first zeros). A row's state does not depend on
// the other rows.
constexpr int64_t kPageTokens = 32;
struct PagedHead {
  const float* q;           // (rows, d), times the scale
  const int32_t* position;  // of each row: it sees keys position - window + 1 … position
  int64_t rows, d, window;
  float softcap;         // 0: none; else scores become softcap · tanh(score / softcap)
  const char* first;     // page 0 of this head
  const int32_t* pages;  // numbers of the sequence's pages
  int64_t page_stride;   // bytes from one page to the next
  int64_t begin, end;    // keys to look at; begin is a multiple of kPageTokens
  float *top, *total, *out;
};

// How keys and values are kept.
enum class KvType : uint8_t { f16, i8, f32 };  // i8: with a scale for each token's key and value
constexpr int kKvTypes = 3;
struct PagedKernel {
  size_t (*page_bytes)(int64_t d) noexcept;  // keys and values of one head; a multiple of 64
  void (*store)(const float* k, const float* v, int64_t d, int64_t slot, void* page) noexcept;  // slot < kPageTokens
  size_t (*scratch_bytes)(int64_t d) noexcept;
  void (*attend)(const PagedHead& head, void* scratch) noexcept;
};

struct KernelTable {
  const char* name;
  bool (*runs_here)() noexcept;  // this CPU has what the table's code needs
  TypeKernels types[kTypes];     // in the order of quants/list.h

  // y: M rows of N, in place.
  void (*epilogue)(float* y, int64_t M, int64_t N, int64_t stride, const Epilogue& e) noexcept;
  // out[i] = (x[i] - mean) / sqrt(variance + eps) * weight[i] + bias[i], i < D. bias may be null. out may be x.
  void (*layer_norm)(const float* x, const float* weight, const float* bias, float eps, int64_t D, float* out) noexcept;
  // out[i] = x[i] / sqrt(mean of squares + eps) * weight[i], i < D. out may be x.
  void (*rms_norm)(const float* x, const float* weight, float eps, int64_t D, float* out) noexcept;
  // out[i] = activation(gate[i]) * up[i], i < n. out may be either.
  void (*gate)(const float* gate, const float* up, Activation activation, int64_t n, float* out) noexcept;
  // x, two halves a and b of `half` values each, turned in place: a·cos - b·sin, b·cos + a·sin.
  void (*rotate)(float* x, const float* cos, const float* sin, int64_t half) noexcept;
  // The same with values 2i and 2i + 1 as the pair.
  void (*rotate_pairs)(float* x, const float* cos, const float* sin, int64_t half) noexcept;
  // x[i] = exp(scale * (x[i] - max x)), i < n; returns their sum.
  float (*softmax)(float* x, int64_t n, float scale) noexcept;
  // x[i] = cap · tanh(x[i] / cap), i < n.
  void (*softcap)(float* x, int64_t n, float cap) noexcept;
  float (*exp)(float x) noexcept;
  AttentionKernel attention_f32, attention_i16;  // see isa/attention.h for what they cost and give
  PagedKernel kv[kKvTypes];                      // by KvType
  // C = A·B: A (M, K), B (K, N), C (M, N), all with row strides; the sum over k runs in order.
  void (*gemm)(int64_t M, int64_t N, int64_t K, const float* A, int64_t lda, const float* B, int64_t ldb, float* C,
               int64_t ldc) noexcept;
  // Multiply-accumulates of `steps` rounds of the ISA's fastest exact 8-bit dot product, on registers alone: timed, it
  // gives the limit that products of 8-bit integers cannot pass on this CPU.
  double (*int8_limit)(int64_t steps) noexcept;
  // y[i] += a * x[i]
  void (*axpy)(float a, const float* x, float* y, int64_t n) noexcept;
  float (*dot)(const float* x, const float* y, int64_t n) noexcept;
  // The least and the largest of x[i] · factors[i], i < n, and zero. factors may be null: ones.
  void (*range)(const float* x, const float* factors, int64_t n, float* low, float* high) noexcept;
};

}  // namespace quern
