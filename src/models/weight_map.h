// A model's weights, each named once: its GGUF name, its Hugging Face name, its shape, and where the model keeps it.
// The loaders (gguf_weights.cpp, hf_weights.cpp) bind these, the converter writes them.
#pragma once
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "ops.h"

namespace quern {

struct WeightSpec {
  enum class Kind { linear, norm, table };
  // A piece of the weight in files that keep it in pieces; names without ".weight" and ".bias". Where a Hugging Face
  // tensor has several spellings, "decoder|word_embeddings", the first that is there counts.
  struct Part {
    std::string gguf, hf;
    int64_t N;
    int64_t pair_heads =
        0;  // so many heads' rows, whose halves GGUF files interleave: value i of a half becomes 2i, 2i + 1
  };
  Kind kind;
  std::string name;         // GGUF name of the whole
  std::vector<Part> parts;  // stacked along N; one for norms and tables
  int64_t N, K;             // linear: outputs × inputs; table: rows (0: the file's) × width; norm: N = width, K = 1
  bool bias;
  bool always_f32 = false;       // small weights that no file type rounds
  bool optional = false;         // norms: null where a file has it not
  std::string or_else = {};      // the GGUF table that is this linear where the file has no other (tied embeddings)
  std::vector<float> made = {};  // norms whose values config.json implies: Hugging Face's files have no tensor of it
  float hf_added = 0;            // to the values of Hugging Face's norms, which have them less
  bool calibrated = true;     // the conversion sees this linear's inputs; else its type is q8 in files of panel types
  int64_t hf_skip = 0;        // rows of the Hugging Face table before the first that is used
  std::string hf_whole = {};  // the Hugging Face tensor that holds all parts one after the other, where there is one
  // Tables, in Hugging Face files: the tensor that says which row of the table each row is, and the one of what it is
  // multiplied by, where there are any.
  std::string hf_rows = {}, hf_row_scales = {};
  std::vector<int64_t> hf_picked = {};  // the rows of the Hugging Face tensor that this is made of; empty: all
  std::string hf_bias = {};             // the bias's full name in Hugging Face files, if it is not the weight's
  std::string hf_folder = {};           // of the Hugging Face folder, relative; empty: the transformer's own
  Linear* linear = nullptr;
  Norm* norm = nullptr;
  const float** vector = nullptr;  // of Kind::norm: values that no norm is made of, rotary factors
  Table* table = nullptr;

  // Where values of Kind::norm go; null: the file has none.
  void bind(const float* weight, const float* bias = nullptr) const {
    if (vector)
      *vector = weight;
    else
      *norm = {weight, bias};
  }
};

class WeightMap {
 public:
  // A linear layer of one part.
  WeightSpec& linear(Linear& to, const std::string& gguf, const std::string& hf, int64_t N, int64_t K,
                     bool bias = true) {
    return linear(to, gguf, {{gguf, hf, N}}, K, bias);
  }
  // `gguf` is the name of the whole where a file holds it fused; the parts' own names serve where it does not.
  // hf_whole: where Hugging Face's files hold it fused too.
  WeightSpec& linear(Linear& to, const std::string& gguf, std::vector<WeightSpec::Part> parts, int64_t K,
                     bool bias = true, const std::string& hf_whole = {});
  WeightSpec& norm(Norm& to, const std::string& gguf, const std::string& hf, int64_t D, bool bias = true);
  // n values that a file need not have; made: those that config.json implies, of which it has no tensor.
  WeightSpec& vector(const float*& to, const std::string& name, int64_t n, const std::vector<float>& made);
  // rows = 0: as many as the file has.
  WeightSpec& table(Table& to, const std::string& gguf, const std::string& hf, int64_t rows, int64_t cols,
                    bool always_f32 = false);

  // Names that follow are inside this layer: gguf "blk.<i>." and hf + "<i>.". end_layer() goes back to none.
  void begin_layer(int i, const std::string& hf);
  void end_layer();

  std::vector<Linear*> linears() const;  // of all specs that are one

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
  float* floats(size_t n) {
    bytes_ += n * sizeof(float);
    return owned_.emplace_back(n).data();
  }
  // To 64 bytes, one after the other in memory of large pages: fewer of them to look up while weights stream past.
  void* aligned(size_t bytes);
  uint64_t bytes() const { return bytes_; }  // of all that was asked for

 private:
  struct Free {
    void operator()(void* p) const;
  };
  std::deque<std::vector<float>> owned_;
  std::vector<std::unique_ptr<void, Free>> chunks_;
  char* free_ = nullptr;  // of the last chunk
  size_t left_ = 0;
  uint64_t bytes_ = 0;
};

std::string shape_text(const int64_t* extents, size_t n);  // "[384, 1536]"

}  // namespace quern
