// The operators that models are written in: eager, over packed tokens, the only door to a tensor's values. An
// implementation belongs to a device (device.h); the host's is host_ops.h. Operators check nothing that the loader has
// already checked; shapes are asserted. Glossary: T tokens, D width, F hidden, H heads, L length of one text.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "backend.h"
#include "kernels.h"
#include "kv_cache.h"
#include "linear_changes.h"
#include "quants/type_info.h"
#include "tensor.h"

namespace quern {

// y = activation(x·Wᵀ + bias). W may come in parts, stacked along N (q, k and v of a file that keeps them apart).
struct Linear {
  struct Part {
    Matrix w;
    int64_t first = 0;                    // its first output
    const Backend* backend = nullptr;     // null: the native kernels
    std::shared_ptr<const void> adopted;  // the back end's or the kernels' own copy of w
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
  const LinearChanges* changes = nullptr;  // of its own to the model's linears; null: none
  // So many tokens at its end are seen by none, themselves included: fewer than length. They see the others. Of
  // attention within texts, on the host.
  int64_t unseen = 0;
};

class Ops;

// Called with the input of each linear as it runs; how calibration sees activations.
class LinearObserver {
 public:
  virtual ~LinearObserver() = default;
  virtual void observe(Ops& op, const Linear& linear, const Tensor& x) = 0;
};

// What places add to attention's scores (He et al., 2020, arXiv 2006.03654): query i and key j have q_i · keys_p +
// k_j · queries_p more, before the scale, p the place of the distance i - j. All heads' values side by side: (D,
// places) each. place_of: of distances -(n - 1) … n - 1 for texts of at most n tokens, never falling.
struct PlaceVectors {
  const float *keys = nullptr, *queries = nullptr;  // null: there are none
  int64_t places = 0;
  std::span<const int32_t> place_of = {};
};

struct AttentionOptions {
  int heads = 1;
  int kv_heads = 0;  // heads of keys and values, each for heads / kv_heads of queries; 0: as many
  float scale = 1;
  int64_t before = INT32_MAX, after = INT32_MAX;  // query i sees keys i - before … i + after of its text
  float softcap = 0;                              // 0: none; else scores become softcap · tanh(score / softcap)
  // Added to the scores, unless it is null: (heads, 2n - 1) for texts of at most n tokens; of query i and key j in
  // column n - 1 + j - i.
  Tensor bias = {};
  PlaceVectors places = {};  // without bias
};

// Of attention over the KV cache: a token sees itself and those before it.
struct PagedOptions {
  int heads = 1, kv_heads = 1;
  float scale = 1;
  int64_t window = INT32_MAX;  // sees so many tokens, itself among them
  float softcap = 0;           // as in AttentionOptions
};

// How attention computes: exactly, or in 16-bit integers for models whose products take 8-bit activations anyway.
enum class Precision : uint8_t { f32, i16 };

// Rotary positions of a batch (Su et al., 2021, arXiv 2104.09864): what rotary() makes and rotate() takes.
struct Rotary {
  Tensor angles;                  // rows of n cosines, then n sines
  std::span<const int32_t> rows;  // the row of each token
};
// Of a text: angles of position 1 for each pair of values, all of them n.
using Frequencies = std::function<std::span<const float>(const Sequence& text)>;

// Belongs to one thread at a time. Tensors that it makes live until the Scope around them ends. Whatever the device,
// the batch and the number of threads, a row's result depends on nothing but that row's inputs, to the bit.
class Ops {
 public:
  virtual ~Ops() = default;

  // What tensors and scratch memory were taken since is released at its end; the memory is kept for the next.
  class Scope {
   public:
    explicit Scope(Ops& op) : op_(op), mark_(op.mark()) {}
    ~Scope() { op_.release(mark_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Ops& op_;
    const std::pair<size_t, size_t> mark_;
  };

  virtual Tensor tensor(int64_t rows, int64_t cols) = 0;  // uninitialized
  // x's values, row after row, once they are there. They lie in x itself where the host can see them, else in `room`:
  // valid as long as x and until `room` changes.
  virtual std::span<const float> read(const Tensor& x, std::vector<float>& room) = 0;
  virtual void write(std::span<const float> values, Tensor x) = 0;  // row after row
  virtual void copy(const Tensor& from, Tensor to) = 0;             // of one shape; nothing where they are the same

  // out[t] = sum over tables of table.row(ids[t]); tables and ids in pairs, ids in range. -1, of a table that is not
  // the first: nothing is added.
  struct Lookup {
    const Table& table;
    std::span<const int32_t> ids;
  };
  virtual Tensor lookup(std::span<const Lookup> lookups) = 0;
  // Those rows of x, in that order.
  virtual Tensor gather(const Tensor& x, std::span<const int64_t> rows) = 0;
  virtual Tensor transpose(const Tensor& x) = 0;

  // (T, K) → (T, N). residual: (T, N), added after the activation.
  virtual Tensor linear(const Tensor& x, const Linear& w, Activation activation = Activation::none,
                        const Tensor* residual = nullptr) = 0;
  // From now on, linears change these rows of their results, before the activation; in order, without overlap. They and
  // what they name live until the next call.
  virtual void change_rows(std::span<const ChangedRows> rows) = 0;

  // (T, D) → (T, D), row by row.
  virtual Tensor layer_norm(const Tensor& x, const Norm& norm, float eps) = 0;
  // (T, D) → (T, D), row by row: no mean is taken off, no bias added (Zhang & Sennrich, 2019, arXiv 1910.07467).
  virtual Tensor rms_norm(const Tensor& x, const Norm& norm, float eps) = 0;

  // In place, value by value.
  virtual void scale(Tensor x, float factor) = 0;
  virtual void add(Tensor x, const Tensor& y) = 0;  // x += y
  virtual void softcap(Tensor x, float cap) = 0;    // cap · tanh(x / cap)
  // activation(gate) · up, into gate's place, which is the result.
  virtual Tensor gate(const Tensor& gate, const Tensor& up, Activation activation) = 0;
  // In place, row by row: x / max(|x|, 1e-12), as torch's normalize.
  virtual void normalize(Tensor x) = 0;
  // Each head's d values of x (T, heads · d) by rms_norm, in place.
  virtual void norm_heads(Tensor x, int heads, const Norm& norm, float eps) = 0;

  // (T, D) → (texts, D). A text of no tokens becomes zeros.
  virtual Tensor pool(const Tensor& x, std::span<const Sequence> texts, Pooling mode) = 0;

  // Attention within each text: q (T, D) with D = heads · d, k and v (T, kv_heads · d), result (T, D).
  virtual Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, std::span<const Sequence> texts,
                           const AttentionOptions& options) = 0;
  // The same for decoders: keeps each text's k and v in its pages of `cache`, which is this device's, then attends to
  // all that are there. A token's result does not depend on how many of its text's tokens come in one call.
  virtual Tensor paged_attention(const Tensor& q, const Tensor& k, const Tensor& v, std::span<const Sequence> texts,
                                 KvCache& cache, int layer, const PagedOptions& options) = 0;

  // Each token's position is its text's past and on; cosines and sines are multiplied by `factor`.
  virtual Rotary rotary(std::span<const Sequence> texts, const Frequencies& frequencies, float factor = 1) = 0;
  // The first 2n values of every head of x (T, D), in place: value i turns with value i + n, the order of Hugging
  // Face's files, or, with pairs, value 2i with value 2i + 1, that of llama.cpp's.
  virtual void rotate(Tensor x, const Rotary& by, int heads, bool pairs = false) = 0;

 private:
  virtual std::pair<size_t, size_t> mark() const = 0;
  virtual void release(std::pair<size_t, size_t> mark) = 0;
};

}  // namespace quern
