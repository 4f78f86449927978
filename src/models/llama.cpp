// Llama (Touvron et al., 2023, arXiv 2302.13971 and later): Llama 2 and 3, SmolLM2, and Mistral (Jiang et al., 2023,
// arXiv 2310.06825), whose window is a key. GGUF files have the rows of queries and keys of each head interleaved.
#include "models/decoder.h"
#include "models/registry.h"

namespace quern {
namespace {

struct Llama final : Decoder {
  void config(ConfigMap& map) override {
    common_config(map);
    window_config(map);
    for (const char* key : {"attention_bias", "mlp_bias"}) map.hf_expect(key, "false");
    pairs = pairs || map.is_gguf();
    pair_heads_q = H;
    pair_heads_k = KV;
  }
  void weights(WeightMap& map) override { layer_weights(map, {}); }
};

}  // namespace

extern const Architecture llama_architecture = {
    .gguf = "llama",
    .model_types = {"llama", "mistral"},
    .prefixes = {"", "model."},
    .make = []() -> std::unique_ptr<Model> { return std::make_unique<Llama>(); },
};

}  // namespace quern
