// Gemma 2 (Gemma Team, 2024, arXiv 2408.00118): norms on both sides of each step, windows in every other layer, capped
// scores and logits.
#include <cmath>

#include "models/decoder.h"
#include "models/registry.h"

namespace quern {
namespace {

struct Gemma2 final : Decoder {
  void config(ConfigMap& map) override {
    common_config(map, Activation::gelu_tanh);
    map.real("attn_logit_softcapping", "attn_logit_softcapping", score_cap, 0, 1e6, map.is_hf() ? 0 : 50);
    map.real("final_logit_softcapping", "final_logit_softcapping", logit_cap, 0, 1e6, map.is_hf() ? 0 : 30);
    map.integer("attention.sliding_window", "sliding_window", window, 0, 1 << 24, 4096);
    map.last_of_every("attention.sliding_window_pattern", nullptr, "layer_types", "full_attention", period, 2);
    windows(window, period);
    embed_scale = std::sqrt(static_cast<float>(D));
    // Files of llama.cpp's do not say it: only the model of 46 layers scales by its width over its heads.
    double scalar = static_cast<double>(n_layers == 46 ? D / H : d);
    map.hf_real("query_pre_attn_scalar", scalar, 1e-3, 1e6);
    map.real("attention.scale", nullptr, scale, 1e-6, 1e3, 1 / std::sqrt(scalar));
  }
  void weights(WeightMap& map) override { layer_weights(map, {.post_norms = true, .norm_added = 1}); }
};

}  // namespace

extern const Architecture gemma2_architecture = {
    .gguf = "gemma2",
    .model_types = {"gemma2"},
    .prefixes = {"", "model."},
    .make = []() -> std::unique_ptr<Model> { return std::make_unique<Gemma2>(); },
};

}  // namespace quern
