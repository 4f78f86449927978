// ModernBERT encoder (Warner et al., 2024, arXiv 2412.13663): modernbert-embed-*, gte-modernbert-*,
// granite-embedding-*. Pre-norm, rotary positions, gated feed-forward (GeGLU), no biases; every third layer sees the
// whole text, the others a window.
#include "models/blocks.h"
#include "models/registry.h"

namespace quern {
namespace {

struct ModernBert final : Model {
  int64_t vocab = 0, context = 0, D = 0, F = 0, H = 0, n_layers = 0;
  int64_t window = 0, global_every = 0;  // tokens in all; layers
  float eps = 0, global_base = 0, local_base = 0;
  Activation act = Activation::gelu, head_act = Activation::gelu;
  bool mean_pooling = false;

  Table token;
  Norm embed_norm, final_norm;
  struct Layer {
    Norm attn_norm;  // none in layer 0
    Linear qkv, out;
    Norm ffn_norm;
    Linear up, down;  // (2F, D): gate, then up; (D, F)
  };
  std::vector<Layer> blocks;

  void config(ConfigMap& map) override {
    map.integer("vocab_size", "vocab_size", vocab, 1, 1 << 24);
    map.integer("context_length", "max_position_embeddings", context, 1, 1 << 20);
    map.integer("embedding_length", "hidden_size", D, 1, 1 << 16);
    map.integer("block_count", "num_hidden_layers", n_layers, 1, 1 << 10);
    map.integer("feed_forward_length", "intermediate_size", F, 1, 1 << 16);
    map.integer("attention.head_count", "num_attention_heads", H, 1, 1 << 10);
    map.integer("attention.sliding_window", "local_attention", window, 2, 1 << 20);
    map.every("attention.sliding_window_pattern", "global_attn_every_n_layers", "layer_types", "full_attention",
              global_every);
    map.real("attention.layer_norm_epsilon", "norm_eps", eps, 0, 1, 1e-5);
    map.real("rope.freq_base", "global_rope_theta|rope_parameters.full_attention.rope_theta", global_base, 1, 1e12,
             160000);
    map.real("rope.freq_base_swa", "local_rope_theta|rope_parameters.sliding_attention.rope_theta", local_base, 1, 1e12,
             10000);
    map.activation("hidden_activation", "hidden_activation", act, Activation::gelu);
    map.activation("classifier_activation", "classifier_activation", head_act, Activation::gelu);
    map.constant("attention.causal", false);
    for (const char* key : {"attention_bias", "mlp_bias", "norm_bias", "classifier_bias"}) map.hf_expect(key, "false");
    for (const char* key : {"rope_parameters.full_attention.rope_type", "rope_parameters.sliding_attention.rope_type"})
      map.hf_expect(key, "\"default\"");
    mean_pooling = map.hf_is("classifier_pooling", "\"mean\"");
    check_heads(map, D, H, true);
  }

  void weights(WeightMap& map) override {
    blocks.resize(static_cast<size_t>(n_layers));
    map.table(token, "token_embd", "embeddings.tok_embeddings", vocab, D);
    map.norm(embed_norm, "token_embd_norm", "embeddings.norm", D, false);
    for (int i = 0; i < layers(); ++i) {
      Layer& l = blocks[static_cast<size_t>(i)];
      map.begin_layer(i, "layers.");
      if (i > 0) map.norm(l.attn_norm, "attn_norm", "attn_norm", D, false);
      map.linear(l.qkv, "attn_qkv", "attn.Wqkv", 3 * D, D, false);
      map.linear(l.out, "attn_output", "attn.Wo", D, D, false);
      map.norm(l.ffn_norm, "ffn_norm", "mlp_norm", D, false);
      map.linear(l.up, "ffn_up", "mlp.Wi", 2 * F, D, false);
      map.linear(l.down, "ffn_down", "mlp.Wo", D, F, false);
    }
    map.end_layer();
    map.norm(final_norm, "output_norm", "final_norm", D, false);
  }

  HeadLayers head(Task task) const override {
    HeadLayers layers{.dense = true,
                      .dense_bias = false,
                      .norm = true,
                      .norm_bias = false,
                      .activation = head_act,
                      .eps = eps,
                      .mean = task == Task::sequence_classification && mean_pooling,
                      .hf = {"head.dense", "head.norm", "classifier", ""}};
    if (task == Task::masked_lm)
      layers.hf.out = "decoder|embeddings.tok_embeddings", layers.hf.out_bias = "decoder.bias";
    return layers;
  }

  int64_t width() const override { return D; }
  int64_t vocabulary() const override { return token.rows; }
  int64_t positions() const override { return context; }
  int64_t types() const override { return INT32_MAX; }  // they take no part
  int layers() const override { return static_cast<int>(n_layers); }

  bool is_global(int i) const { return i % global_every == 0; }
  AttentionReach reach(int i) const override {
    const int64_t beside = is_global(i) ? INT32_MAX : window / 2;
    return {D, beside, beside};
  }

  void prepare(Ops& op, Batch& batch) const override {
    batch.rotary[0] = rotary_of(op, batch, D / H, global_base);
    batch.rotary[1] = rotary_of(op, batch, D / H, local_base);
  }

  Tensor embed(Ops& op, const Batch& batch) const override {
    return op.layer_norm(op.lookup({{{token, batch.ids}}}), embed_norm, eps);
  }

  Tensor layer(Ops& op, const Batch& batch, int i, const Tensor& x) const override {
    const Layer& l = blocks[static_cast<size_t>(i)];
    AttentionOptions options = scaled_attention(D, H);
    options.before = reach(i).before;
    options.after = reach(i).after;
    const Tensor qkv = op.linear(i > 0 ? op.layer_norm(x, l.attn_norm, eps) : x, l.qkv);
    const Tensor a = attend(op, batch, qkv, options, &batch.rotary[is_global(i) ? 0 : 1]);
    const Tensor y = op.linear(a, l.out, Activation::none, &x);
    const Tensor h = op.linear(op.layer_norm(y, l.ffn_norm, eps), l.up);
    const Tensor gated = op.gate(h.columns(0, F), h.columns(F, F), act);
    return op.linear(gated, l.down, Activation::none, &y);
  }

  Tensor output_norm(Ops& op, const Tensor& x) const override { return op.layer_norm(x, final_norm, eps); }
};

}  // namespace

extern const Architecture modernbert_architecture = {
    .gguf = "modern-bert",
    .model_types = {"modernbert"},
    .prefixes = {"", "model."},
    .make = []() -> std::unique_ptr<Model> { return std::make_unique<ModernBert>(); },
};

}  // namespace quern
