// The operators that models are written in: eager, on an arena, over packed tokens. They check nothing that the loader
// has already checked; shapes are asserted. Glossary: T tokens, D width, F hidden, H heads, L length of one text.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "arena.h"
#include "backend.h"
#include "kernels.h"
#include "kv_cache.h"
#include "parallel.h"
#include "quants/type_info.h"
#include "tensor.h"

namespace quern {

// y = activation(x·Wᵀ + bias). W may come in parts, stacked along N (q, k and v of a file that keeps them apart).
struct Linear {
  struct Part {
    Matrix w;
    int64_t first = 0;                    // its first output
    const Backend* backend = nullptr;     // null: the native kernels
    std::shared_ptr<const void> adopted;  // the back end's own copy of w, see backend.h
  };
  int64_t N = 0, K = 0;
  std::vector<Part> parts;        // one or more
  const float* bias = nullptr;    // N, or null
  const float* smooth = nullptr;  // K factors that x is multiplied by; W has been divided by them. Or null.
};

struct Norm {
  const float* weight = nullptr;  // D
  const float* bias = nullptr;    // D, or null
};

// Rows of a row type, looked up by id.
struct Table {
  const TypeInfo* type = nullptr;
  const void* data = nullptr;
  int64_t rows = 0, cols = 0;
};

// One text's tokens within a packed batch. Of a text whose beginning has gone through before, `past` tokens are kept in
// the pages of a KvCache; these have room for past + length tokens.
struct Sequence {
  int64_t first = 0, length = 0;
  int64_t past = 0;
  const int32_t* pages = nullptr;
};

// Called with the input of each linear as it runs; how calibration sees activations.
class LinearObserver {
 public:
  virtual ~LinearObserver() = default;
  virtual void observe(const Linear& linear, const Tensor& x) = 0;
};

// A text's scores are added to these: of query i and key j data[i * stride + j].
struct Bias {
  const float* data = nullptr;
  int64_t stride = 0;
};

struct AttentionOptions {
  int heads = 1;
  int kv_heads = 0;  // heads of keys and values, each for heads / kv_heads of queries; 0: as many
  float scale = 1;
  int64_t before = INT32_MAX, after = INT32_MAX;  // query i sees keys i - before … i + after of its text
  // The bias of a head in a text, if any; what it makes lives in `scratch`. Called from any thread.
  std::function<Bias(const Sequence& text, int head, Arena& scratch)> bias = {};
};

// Of attention over kept keys and values: a token sees itself and those before it.
struct PagedOptions {
  int heads = 1, kv_heads = 1;
  float scale = 1;
  int64_t window = INT32_MAX;  // sees so many tokens, itself among them
  float softcap = 0;           // 0: none; else scores become softcap · tanh(score / softcap)
};

// How attention computes: exactly, or in 16-bit integers for models whose products take 8-bit activations anyway.
enum class Precision : uint8_t { f32, i16 };

class Ops {
 public:
  // Results live in `arena` until its Scope ends. With a pool, operators split their work over its threads; without,
  // they run on the calling thread. Either way the results are the same to the bit.
  Ops(const KernelTable& kernels, Arena& arena, Precision precision, Pool* pool = nullptr,
      LinearObserver* observer = nullptr)
      : kernels_(kernels), arena_(arena), precision_(precision), pool_(pool), observer_(observer) {}

  const KernelTable& kernels() const { return kernels_; }
  Arena& arena() { return arena_; }

  Tensor tensor(int64_t rows, int64_t cols);  // uninitialized

  // out[t] = sum over tables of table.row(ids[t]); tables and ids in pairs, ids in range.
  struct Lookup {
    const Table& table;
    std::span<const int32_t> ids;
  };
  Tensor lookup(std::span<const Lookup> lookups);

  // (T, K) → (T, N). residual: (T, N), added after the activation.
  Tensor linear(const Tensor& x, const Linear& w, Activation activation = Activation::none,
                const Tensor* residual = nullptr);

  // (T, D) → (T, D), row by row.
  Tensor layer_norm(const Tensor& x, const Norm& norm, float eps);

  // (T, D) → (T, D), row by row: no mean is taken off, no bias added (Zhang & Sennrich, 2019, arXiv 1910.07467).
  Tensor rms_norm(const Tensor& x, const Norm& norm, float eps);

  // activation(gate) · up, value by value, into gate's place, which is the result.
  Tensor gate(const Tensor& gate, const Tensor& up, Activation activation);

  // Attention within each text: q (T, D) with D = heads · d, k and v (T, kv_heads · d), result (T, D).
  Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, std::span<const Sequence> texts,
                   const AttentionOptions& options);

  // Rotary positions (Su et al., 2021, arXiv 2104.09864) in the order of Hugging Face's files: value i turns with value
  // i + dims / 2. angles(): for each place of a text dims / 2 cosines, then as many sines; rotate(): the first `dims`
  // values of every head of x (T, D), in place, by the token's place in its text.
  Tensor angles(int64_t places, int64_t dims, float base, float factor = 1);
  void rotate(Tensor x, const Tensor& angles, std::span<const Sequence> texts, int heads);

  // The same for decoders: keeps each text's k and v in its pages of `cache`, then attends to all that are there. A
  // token's result does not depend on how many of its text's tokens come in one call.
  Tensor paged_attention(const Tensor& q, const Tensor& k, const Tensor& v, std::span<const Sequence> texts,
                         KvCache& cache, int layer, const PagedOptions& options);

  // Rotary positions where texts go on: a row of n cosines and n sines for each token, whose place is its text's past
  // and on. frequencies_of: of a text, n angles of place 1; factor multiplies cosines and sines. turn(): as rotate(),
  // by those rows; pairs: value 2i turns with value 2i + 1, the order of llama.cpp's files.
  Tensor token_angles(std::span<const Sequence> texts, int64_t n,
                      const std::function<const float*(const Sequence&)>& frequencies_of, float factor = 1);
  void turn(Tensor x, const Tensor& angles, int heads, bool pairs = false);

  // Each head's d values of x (T, heads · d) by rms_norm, in place.
  void norm_heads(Tensor x, int heads, const Norm& norm, float eps);

 private:
  // f(row) for row < n, 16 rows a task.
  template <class F>
  void for_each_row(int64_t n, F&& f) {
    constexpr int64_t kRows = 16;
    for_each((n + kRows - 1) / kRows, [&](int64_t task, Arena&) {
      for (int64_t row = task * kRows; row < n && row < (task + 1) * kRows; ++row) f(row);
    });
  }
  // f(task, scratch) for task < n, over the pool or here.
  template <class F>
  void for_each(int64_t n, F&& f) {
    if (pool_ && n > 1)
      pool_->run(n, f);
    else
      for (int64_t i = 0; i < n; ++i) f(i, arena_);
  }

  const KernelTable& kernels_;
  Arena& arena_;
  Precision precision_;
  Pool* pool_;
  LinearObserver* observer_;
};

}  // namespace quern
