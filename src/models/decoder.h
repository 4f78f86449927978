// What decoders of Llama's kind share: pre-norm layers of causal attention with grouped heads of keys and values,
// rotary positions and a gated feed-forward part. An architecture is a struct on top of it that names its
// hyper-parameters and says which of the options it has.
#pragma once
#include <string>
#include <vector>

#include "models/model.h"

namespace quern {

// Which weights a layer has, and how Hugging Face's files hold them.
struct DecoderLayout {
  bool qkv_bias = false;    // of q, k and v
  bool out_bias = false;    // of what follows attention
  bool qk_norm = false;     // each head's query and key through a norm
  bool post_norms = false;  // norms behind attention and feed-forward too, before the residual (Gemma)
  bool fused = false;       // qkv_proj and gate_up_proj in one (Phi-3)
  float norm_added = 0;     // Gemma's norms multiply by 1 + weight
};

// How fast places turn values (Su et al., 2021, arXiv 2104.09864), for layers of one kind: pair i of n by
// base^(-i / n) / linear a place.
struct Rope {
  float base = 10000, linear = 1;
};

class Decoder : public Model {
 public:
  int64_t width() const override { return D; }
  int64_t vocabulary() const override { return token.rows; }
  int64_t positions() const override { return context; }
  int64_t types() const override { return INT32_MAX; }  // they take no part
  int layers() const override { return static_cast<int>(n_layers); }
  AttentionReach reach(int layer) const override;
  LanguageHead language_head() const override;
  HeadLayers head(Task task) const override;

  void prepare(Ops& op, Batch& batch) const override;
  Tensor embed(Ops& op, const Batch& batch) const override;
  Tensor layer(Ops& op, const Batch& batch, int i, const Tensor& x) const override;
  Tensor output_norm(Ops& op, const Tensor& x) const override;

 protected:
  // Sizes, eps, activation and rotary positions, by the keys that all have. Throws Error{bad_file} for heads that do
  // not divide.
  // usual: the activation of files that do not say.
  void common_config(ConfigMap& map, Activation usual = Activation::silu);
  // attention.sliding_window of all layers; 0: none.
  void window_config(ConfigMap& map);
  // Every `full`-th layer sees all tokens, the others `tokens` of them.
  void windows(int64_t tokens, int64_t full);
  void layer_weights(WeightMap& map, const DecoderLayout& layout);

  int64_t vocab = 0, context = 0, D = 0, F = 0, H = 0, KV = 0, d = 0, turned = 0, n_layers = 0;
  float eps = 0, scale = 0, embed_scale = 1, score_cap = 0, logit_cap = 0;
  Activation act = Activation::silu;
  int64_t window = 0, period = 0;  // as the architecture's keys have them; see windows()
  bool causal = true;
  bool pairs = false;                          // rotary pairs are neighbours, as GGUF files of Llama have them
  int64_t pair_heads_q = 0, pair_heads_k = 0;  // heads whose rows files of this architecture interleave

  Rope rope, local_rope;  // local: of layers with a window, where `local_turns`
  bool local_turns = false;

 private:
  struct Layer {
    Norm attn_norm, q_norm, k_norm, attn_post_norm;
    Linear qkv, out;  // ((H + 2 KV) · d, D), (D, H · d)
    Norm ffn_norm, ffn_post_norm;
    Linear gate_up, down;  // (2F, D), (D, F)
  };
  // Scaling of places as config.json and GGUF name it: none, linear, and llama3 (by wavelength: Llama 3.1's report,
  // arXiv 2407.21783) or longrope (Phi-3: factors for short and for long contexts, arXiv 2402.13753), which GGUF files
  // have as tensors. Throws Error{unsupported} for others.
  void both_ways(ConfigMap& map);
  void rope_config(ConfigMap& map);
  std::vector<float> frequencies(const Rope& by, const float* divisors) const;
  Tensor attend(Ops& op, const Batch& batch, int i, const Tensor& qkv) const;

  Table token;
  Norm final_norm;
  // What rotary frequencies are divided by, turned / 2 values each; null: nothing. short and long: of longrope.
  const float *rope_divisors = nullptr, *rope_short = nullptr, *rope_long = nullptr;
  Linear predicting;
  std::vector<Layer> blocks;
  std::vector<int64_t> window_of;  // layers
  // Of scaling: what frequencies are divided by. config.json's are made in config(), GGUF files have them as tensors.
  std::vector<float> made_divisors, made_short, made_long;
  int64_t original_context = 0;  // beyond it longrope's long factors are in use
  float rope_attention = 1;      // multiplies cosines and sines
};

}  // namespace quern
