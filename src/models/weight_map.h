// A model's weights, each named once: its GGUF name, its Hugging Face name, its shape, and where the model keeps it.
// The loaders (weights_gguf.cpp, weights_hf.cpp) bind these, the converter writes them.
#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "ops.h"

namespace quern {

struct WeightSpec {
  enum class Kind { linear, norm, table };
  // A piece of the weight in files that keep it in pieces; names without ".weight" and ".bias".
  struct Part {
    std::string gguf, hf;
    int64_t N;
  };
  Kind kind;
  std::string name;         // GGUF name of the whole
  std::vector<Part> parts;  // stacked along N; one for norms and tables
  int64_t N, K;             // linear: outputs × inputs; table: rows (0: the file's) × width; norm: N = width, K = 1
  bool bias;
  bool always_f32 = false;  // small tables that no file type rounds
  Linear* linear = nullptr;
  Norm* norm = nullptr;
  Table* table = nullptr;
};

class WeightMap {
 public:
  // A linear layer of one part.
  void linear(Linear& to, const std::string& gguf, const std::string& hf, int64_t N, int64_t K, bool bias = true) {
    linear(to, gguf, {{gguf, hf, N}}, K, bias);
  }
  // `gguf` is the name of the whole where a file holds it fused; the parts' own names serve where it does not.
  void linear(Linear& to, const std::string& gguf, std::vector<WeightSpec::Part> parts, int64_t K, bool bias = true);
  void norm(Norm& to, const std::string& gguf, const std::string& hf, int64_t D, bool bias = true);
  // rows = 0: as many as the file has.
  void table(Table& to, const std::string& gguf, const std::string& hf, int64_t rows, int64_t cols,
             bool always_f32 = false);

  // Names that follow are inside this layer: gguf "blk.<i>." and hf + "<i>.". end_layer() goes back to none.
  void begin_layer(int i, const std::string& hf);
  void end_layer();

  std::vector<WeightSpec> specs;
  // The specs of layer i are [begin, end).
  struct Range {
    size_t begin, end;
  };
  std::vector<Range> layers;

 private:
  std::string gguf_, hf_;
};

// Memory that bound weights point into when a file's bytes cannot be used where they lie.
class WeightStore {
 public:
  float* floats(size_t n) { return owned_.emplace_back(n).data(); }

 private:
  std::deque<std::vector<float>> owned_;
};

class GgufReader;
class Safetensors;
struct StTensor;

// Bind every spec to the file's tensors; the file must outlive the model. Throw Error{bad_file} naming tensor, expected
// and found shape or type; {unsupported} for a type that quern does not run.
void bind_weights(const GgufReader& file, std::vector<WeightSpec>& specs, WeightStore& store);
// prefixes: what may stand before every name ("", "bert."); the first that fits is taken.
void bind_weights(const Safetensors& file, const std::vector<std::string>& prefixes, std::vector<WeightSpec>& specs,
                  WeightStore& store);

// The tensors of a part in a Hugging Face file: weight (or gamma) and bias (or beta), checked against the spec's shape;
// bias is null where the spec has none.
struct HfTensors {
  const StTensor* weight = nullptr;
  const StTensor* bias = nullptr;
};
HfTensors find_hf_tensors(const Safetensors& file, const std::string& prefix, const WeightSpec& spec, size_t part);
std::string find_hf_prefix(const Safetensors& file, const std::vector<std::string>& prefixes,
                           const std::vector<WeightSpec>& specs);

// n elements of a float tensor (F32, F16, BF16; bytes need not be aligned) from element `first` on, as f32.
void read_floats(const StTensor& tensor, int64_t first, int64_t n, float* out);

std::string shape_text(const int64_t* extents, size_t n);  // "[384, 1536]"

}  // namespace quern
