// What follows the transformer: the modules that make a text's vector, as sentence-transformers has them, and the heads
// of other tasks. The description only, and its JSON form in the model file; heads/ does the arithmetic.
#pragma once
#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/head_layers.h"

namespace quern {

// What the widths of modules and the number of labels are held to.
inline constexpr int64_t max_features = int64_t{1} << 24;
inline constexpr size_t max_labels = size_t{1} << 20;

template <class Names>
bool among(const Names& names, std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

struct PoolingConfig {
  // At least one of cls max mean mean_sqrt_len_tokens weightedmean lasttoken, in order of concatenation.
  std::vector<std::string> modes;
  bool include_prompt = true;  // false: the prompt's tokens take no part

  bool operator==(const PoolingConfig&) const = default;
};

struct DenseConfig {
  int64_t in_features = 0;  // 1 to 2^24, out_features likewise
  int64_t out_features = 0;
  bool bias = true;
  std::string activation;  // identity tanh relu gelu sigmoid silu

  bool operator==(const DenseConfig&) const = default;
};

// A score that a language model gives by what it would go on with: the logit of one token, less that of another.
// In Hugging Face's files these are rows of its own head; model files keep them as a classifier's.
struct NextTokenScore {
  int64_t yes = 0, no = -1;  // ids; -1: nothing is taken off
  float softcap = 0;         // of each logit; 0: none

  int64_t rows() const { return no < 0 ? 1 : 2; }
  bool operator==(const NextTokenScore&) const = default;
};

// How two texts become one where a template says so: its messages have the roles system (what the model is told of its
// task, if anything), query and document.
struct PairTemplate {
  std::string source = {};                           // Jinja; empty: the tokenizer puts pairs together
  bool in_parts = false;                             // a message's content is a list of parts, not a string
  std::string variables = {};                        // further ones, as a JSON object; empty: none
  std::map<std::string, std::string> specials = {};  // variables that are special tokens: "bos_token" -> "<s>"

  bool operator==(const PairTemplate&) const = default;
};

// Scores of labels: of a text or a pair of texts, or of each token.
struct ClassifierConfig {
  bool per_token = false;
  std::vector<std::string> labels;  // 1 to 2^20
  std::string activation;           // of the scores: none sigmoid softmax
  HeadLayers layers;
  std::optional<NextTokenScore> next_token = {};  // of one label
  PairTemplate pairs = {};

  // Of the last layer.
  int64_t outputs() const { return next_token ? next_token->rows() : static_cast<int64_t>(labels.size()); }

  bool operator==(const ClassifierConfig&) const = default;
};

// A weight for each token of the vocabulary that matters to a text.
struct SparseConfig {
  // True: from the masked language model's logits (SPLADE, Formal et al., 2021, arXiv 2107.05720): log(1 + relu(x)),
  // its largest over the text or its sum. False: one weight for each token of the text, its largest where it stands
  // twice (bge-m3, Chen et al., 2024, arXiv 2402.03216).
  bool over_vocabulary = false;
  bool sum = false;
  bool twice = false;          // log(1 + log(1 + relu(x)))
  HeadLayers layers = {};      // over_vocabulary
  std::string hf_folder = {};  // else: the file that holds "weight" [1, D] and "bias"

  bool operator==(const SparseConfig&) const = default;
};

// A vector of length 1 for each token but the first (ColBERT's; Khattab & Zaharia, 2020, arXiv 2004.12832).
struct MultiVectorConfig {
  int64_t width = 0;
  std::string hf_folder;  // the file that holds "weight" [width, D] and "bias"

  bool operator==(const MultiVectorConfig&) const = default;
};

struct Pipeline {
  struct Module {
    std::string type;  // Pooling Normalize Dense LayerNorm
    std::string
        folder;  // relative to the model's folder; its model.safetensors holds linear.weight [out, in] or norm.*
    PoolingConfig pooling;
    DenseConfig dense;  // LayerNorm: in_features alone

    bool operator==(const Module&) const = default;
  };
  std::vector<Module> modules;  // empty: the model makes no vectors
  std::optional<ClassifierConfig> classifier;
  std::optional<SparseConfig> sparse;
  std::optional<MultiVectorConfig> multi_vector;

  bool operator==(const Pipeline&) const = default;
};

// Throws unless the modules can run in this order and their settings are in range: bad_file, or unsupported for a name
// that quern does not know. name is for messages.
void check_pipeline(const Pipeline& pipeline, const std::string& name);

// The JSON form. name is for messages; from_json throws Error bad_file or unsupported.
std::string to_json(const Pipeline& pipeline);
Pipeline pipeline_from_json(std::string_view json, const std::string& name);

}  // namespace quern
