// Gemma (Gemma Team, 2024, arXiv 2403.08295): Llama with embeddings scaled by the width, GELU in the gate, norms that
// multiply by 1 + weight, heads wider than their share.
#include <cmath>

#include "models/decoder.h"
#include "models/registry.h"

namespace quern {
namespace {

struct Gemma final : Decoder {
  void config(ConfigMap& map) override {
    common_config(map, Activation::gelu_tanh);
    map.hf_expect("attention_bias", "false");
    if (act == Activation::gelu) act = Activation::gelu_tanh;  // of which checkpoints that say "gelu" were trained
    embed_scale = std::sqrt(static_cast<float>(D));
  }
  void weights(WeightMap& map) override { layer_weights(map, {.norm_added = 1}); }
};

}  // namespace

extern const Architecture gemma_architecture = {
    .gguf = "gemma",
    .model_types = {"gemma"},
    .prefixes = {"", "model."},
    .make = []() -> std::unique_ptr<Model> { return std::make_unique<Gemma>(); },
};

}  // namespace quern
