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
    map.hf_expect("mlp_bias", "false");
    // A key of quern's files that have them; llama.cpp's have the tensors alone.
    if (map.is_hf()) attention_bias = map.hf_is("attention_bias", "true");
    if (map.is_gguf()) attention_bias = map.gguf_rows("blk.0.attn_q.bias") > 0;
    if (attention_bias || map.is_gguf()) map.integer("attention.bias", nullptr, attention_bias, 0, 1, attention_bias);
    pairs = pairs || map.is_gguf();
    pair_heads_q = H;
    pair_heads_k = KV;
  }
  void weights(WeightMap& map) override {
    layer_weights(map, {.qkv_bias = attention_bias != 0, .out_bias = attention_bias != 0});
  }

  int64_t attention_bias = 0;
};

}  // namespace

extern const Architecture llama_architecture = {
    .gguf = "llama",
    .model_types = {"llama", "mistral"},
    .prefixes = {"", "model."},
    .make = []() -> std::unique_ptr<Model> { return std::make_unique<Llama>(); },
};

}  // namespace quern
