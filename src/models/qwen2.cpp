// Qwen2 and Qwen2.5 (Yang et al., 2024, arXiv 2407.10671): Llama with biases on queries, keys and values.
#include "models/decoder.h"
#include "models/registry.h"

namespace quern {
namespace {

struct Qwen2 final : Decoder {
  void config(ConfigMap& map) override {
    common_config(map);
    map.hf_expect("use_sliding_window", "false");
  }
  void weights(WeightMap& map) override { layer_weights(map, {.qkv_bias = true}); }
};

}  // namespace

extern const Architecture qwen2_architecture = {
    .gguf = "qwen2",
    .model_types = {"qwen2"},
    .prefixes = {"", "model."},
    .make = []() -> std::unique_ptr<Model> { return std::make_unique<Qwen2>(); },
};

}  // namespace quern
