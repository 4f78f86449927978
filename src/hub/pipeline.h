// What follows the transformer in a sentence-transformers model: pooling, dense layers, normalization. The description
// only, and its JSON form in the model file; heads/ does the arithmetic.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

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

struct Pipeline {
  struct Module {
    std::string type;    // Pooling Normalize Dense
    std::string folder;  // relative to the model's folder; holds model.safetensors with linear.weight [out, in]
    PoolingConfig pooling;
    DenseConfig dense;

    bool operator==(const Module&) const = default;
  };
  std::vector<Module> modules;

  bool operator==(const Pipeline&) const = default;
};

// Throws unless the modules can run in this order and their settings are in range: bad_file, or unsupported for a name
// that quern does not know. name is for messages.
void check_pipeline(const Pipeline& pipeline, const std::string& name);

// The JSON form. name is for messages; from_json throws Error bad_file or unsupported.
std::string to_json(const Pipeline& pipeline);
Pipeline pipeline_from_json(std::string_view json, const std::string& name);

std::string prompts_to_json(const std::map<std::string, std::string>& prompts);
std::map<std::string, std::string> prompts_from_json(std::string_view json, const std::string& name);

}  // namespace quern
