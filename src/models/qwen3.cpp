// Qwen3 and Qwen3-Embedding (Yang et al., 2025, arXiv 2505.09388): Llama with norms on each head's queries and keys.
#include "models/decoder.h"
#include "models/registry.h"

namespace quern {
namespace {

struct Qwen3 final : Decoder {
  void config(ConfigMap& map) override {
    common_config(map);
    map.hf_expect("use_sliding_window", "false");
    map.hf_expect("attention_bias", "false");
  }
  void weights(WeightMap& map) override { layer_weights(map, {.qk_norm = true}); }
};

}  // namespace

extern const Architecture qwen3_architecture = {
    .gguf = "qwen3",
    .model_types = {"qwen3"},
    .prefixes = {"", "model."},
    .make = []() -> std::unique_ptr<Model> { return std::make_unique<Qwen3>(); },
};

}  // namespace quern
