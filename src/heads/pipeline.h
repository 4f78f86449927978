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
  bool residual = false;   // the input is added afterwards; by a matrix "residual.weight" where widths differ

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

struct PipelineModule {
  std::string type;    // Pooling Normalize Dense LayerNorm
  std::string folder;  // relative to the model's folder; its model.safetensors holds linear.weight [out, in] or norm.*
  PoolingConfig pooling;
  DenseConfig dense;  // LayerNorm: in_features alone

  bool operator==(const PipelineModule&) const = default;
};

// Tokens' vectors of a text that are near each other become one (Clavié et al., 2024, arXiv 2409.14683).
struct TokenPooling {
  double factor = 1;      // tokens for each vector that stays, 1 (all stay) to 2^20
  int64_t kept = 1;       // of the text's first ones, as they are
  bool normalize = true;  // to length 1 afterwards
  bool queries = false, documents = true;

  bool operator==(const TokenPooling&) const = default;
};

// How texts become vectors of their tokens where queries and documents differ (ColBERT; Khattab & Zaharia, 2020,
// arXiv 2004.12832), as sentence-transformers' MultiVectorEncoder has it. What is no query counts as a document.
struct LateInteraction {
  std::vector<PipelineModule> modules;                 // over tokens, none of them Pooling
  std::vector<std::string> skipped;                    // pieces of the vocabulary whose tokens get no vector
  bool skips_queries = false, skips_documents = true;  // which texts `skipped` is about
  int64_t query_length = 0, document_length = 0;       // tokens, special ones included; 0: the model's
  // Queries of fewer tokens are filled up with copies of this one. expanded_length 0: they are not.
  std::string expansion;
  int64_t expanded_length = 0;
  bool expansion_is_seen = false;  // else no token sees the copies
  bool cuts_queries = true;        // queries of more tokens are cut to so many
  bool mean = false;               // a score is the mean over a query's tokens, not their sum
  TokenPooling pooling;

  bool operator==(const LateInteraction&) const = default;
};

// A vector for each token. Without `late`: one of length 1 for each but the first, a score the mean (bge-m3's).
struct MultiVectorConfig {
  int64_t width = 0;
  std::string hf_folder;  // the file that holds "weight" [width, D] and "bias"; without `late`
  std::optional<LateInteraction> late = {};

  bool operator==(const MultiVectorConfig&) const = default;
};

struct Pipeline {
  using Module = PipelineModule;
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
