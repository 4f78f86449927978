// Gemma 3 (Gemma Team, 2025, arXiv 2503.19786): Gemma 2 with norms on queries and keys in place of caps; five of six
// layers have a window and turn faster. EmbeddingGemma (Vera et al., 2025, arXiv 2509.20354) is the same without
// causality.
#include <cmath>

#include "models/decoder.h"
#include "models/registry.h"

namespace quern {
namespace {

struct Gemma3 : Decoder {
  void config(ConfigMap& map) override {
    if (map.hf_is("use_bidirectional_attention", "true")) causal = false;
    common_config(map, Activation::gelu_tanh);
    map.real("rope.freq_base_swa", "rope_local_base_freq|rope_parameters.sliding_attention.rope_theta", local_rope.base,
             1, 1e12, 10000);
    local_turns = true;
    map.integer("attention.sliding_window", "sliding_window", window, 0, 1 << 24, 512);
    map.last_of_every("attention.sliding_window_pattern", "sliding_window_pattern", "layer_types", "full_attention",
                      period, 6);
    // Without causality the window lies around a token, half on either side.
    windows(causal ? window : window / 2 + 1, period);
    map.real("final_logit_softcapping", "final_logit_softcapping", logit_cap, 0, 1e6, 0);
    map.hf_expect("attn_logit_softcapping", "null");
    embed_scale = std::sqrt(static_cast<float>(D));
    double scalar = static_cast<double>(n_layers == 62 ? D / H : d);  // as in gemma2.cpp
    map.hf_real("query_pre_attn_scalar", scalar, 1e-3, 1e6);
    map.real("attention.scale", nullptr, scale, 1e-6, 1e3, 1 / std::sqrt(scalar));
  }
  void weights(WeightMap& map) override { layer_weights(map, {.qk_norm = true, .post_norms = true, .norm_added = 1}); }
};

struct EmbeddingGemma final : Gemma3 {
  EmbeddingGemma() { causal = false; }
};

}  // namespace

extern const Architecture gemma3_architecture = {
    .gguf = "gemma3",
    .model_types = {"gemma3_text"},
    .prefixes = {"", "model."},
    .make = []() -> std::unique_ptr<Model> { return std::make_unique<Gemma3>(); },
};

extern const Architecture gemma_embedding_architecture = {
    .gguf = "gemma-embedding",
    .model_types = {},
    .prefixes = {"", "model."},
    .make = []() -> std::unique_ptr<Model> { return std::make_unique<EmbeddingGemma>(); },
};

}  // namespace quern
