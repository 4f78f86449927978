// Where a model's weights lie, whatever the format: what loading, hashing, describing and converting ask of it. One
// implementation for each format: gguf_weights, hf_weights.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "models/weight_map.h"

namespace quern {

// A tensor as its source has it. A view: the bytes are the source's.
struct WeightTensor {
  std::string name;
  std::string dtype;                  // as the source spells it: "F32", "BF16", "Q4_0", …
  std::vector<int64_t> shape;         // row-major, last extent contiguous
  std::span<const std::byte> data;    // little-endian, may be unaligned: read with memcpy
  const std::string* file = nullptr;  // path of the file that holds it, for messages

  int64_t elements() const;
};

// The tensors of one part: weight and bias, of the spec's shape; no bias where the spec has none. A part of a fused
// tensor is a view of its rows.
struct WeightTensors {
  WeightTensor weight;
  std::optional<WeightTensor> bias;
};

// What a fingerprint hashes of a weight: bytes under a heading that says what they are.
struct HashedWeight {
  std::string name;  // for progress
  std::vector<std::pair<std::string, std::span<const std::byte>>> pieces;
};

// What a file holds, for listings.
struct SourceContents {
  struct Key {
    std::string name, type, value;
  };
  struct Tensor {
    std::string name, type;
    std::vector<int64_t> shape;  // in the file's order
    uint64_t bytes;
  };
  uint64_t bytes = 0;
  std::optional<std::vector<Key>> keys;  // none: the format has no keys
  std::vector<Tensor> tensors;
};

class WeightSource {
 public:
  virtual ~WeightSource() = default;

  // Binds each spec in place, or by a copy in `store` where its bytes cannot be used as they lie. This must outlive the
  // model. Throws Error{bad_file} naming tensor, expected and found shape or type; {unsupported} for types that quern
  // does not run.
  virtual void bind(std::span<const WeightSpec> specs, WeightStore& store) = 0;

  // Of specs that were bound.
  // Whether it has tensors of its own for a spec: not of what settings imply, what is optional and missing, or what is
  // another one's (a tied head).
  virtual bool holds(const WeightSpec& spec) const = 0;
  // A part's tensors; none where the format keeps the weight in a form that has no parts (panels). Throws
  // Error{bad_file} naming what is missing.
  virtual std::optional<WeightTensors> find(const WeightSpec& spec, size_t part) const = 0;
  // Its pages will not be used again; only a hint.
  virtual void done_with(const WeightSpec& spec) const = 0;

  // Every weight for the hash that a fingerprint begins with, in an order that is always the same.
  virtual void each(const WeightMap& map, const std::function<void(const HashedWeight&)>& f) const = 0;
  virtual SourceContents contents() const = 0;

  // Weights are floats as they were trained, part by part: what a conversion starts from.
  virtual bool as_trained() const = 0;
};

// n elements of a float tensor (F32, F16, BF16, F64; bytes need not be aligned) from element `first` on, as f32. Throws
// Error{unsupported} for other dtypes.
void read_floats(const WeightTensor& tensor, int64_t first, int64_t n, float* out);

// The weight type of a float tensor as it is run, and the bytes of an element in the file: F64 is run as f32, a copy.
// Throws Error{unsupported} for other dtypes.
struct FloatDtype {
  const char* dtype;
  const char* type;
  size_t bytes;
};
const FloatDtype& float_dtype(const WeightTensor& tensor);

// Throws Error{bad_file}, naming the tensor, where it has another shape.
void expect_shape(const WeightTensor& tensor, const std::vector<int64_t>& shape);

// Rows [first, first + n) of a matrix, or as many elements of a vector; row_bytes: of one.
WeightTensor rows_of(const WeightTensor& tensor, int64_t first, int64_t n, size_t row_bytes);

}  // namespace quern
