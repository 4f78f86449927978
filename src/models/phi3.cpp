// Phi-3 and Phi-3.5 mini (Abdin et al., 2024, arXiv 2404.14219): Llama with fused weights and a window.
#include "models/decoder.h"
#include "models/registry.h"

namespace quern {
namespace {

struct Phi3 final : Decoder {
  void config(ConfigMap& map) override {
    common_config(map);
    window_config(map);
    map.hf_expect("partial_rotary_factor|rope_parameters.partial_rotary_factor", "1.0");
  }
  void weights(WeightMap& map) override { layer_weights(map, {.fused = true}); }
};

}  // namespace

extern const Architecture phi3_architecture = {
    .gguf = "phi3",
    .model_types = {"phi3"},
    .prefixes = {"", "model."},
    .make = []() -> std::unique_ptr<Model> { return std::make_unique<Phi3>(); },
};

}  // namespace quern
