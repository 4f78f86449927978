// T5's encoder (Raffel et al., 2020, arXiv 1910.10683): sentence-t5-*, gtr-t5-*. Pre-norm with root mean squares, no
// biases, no scale on attention scores; the relative position bias of the first layer serves all.
#include "error.h"
#include "models/blocks.h"
#include "models/registry.h"
#include "models/relative_bias.h"

namespace quern {
namespace {

struct T5Encoder final : Model {
  int64_t vocab = 0, context = 0, D = 0, F = 0, H = 0, head = 0, n_layers = 0, n_buckets = 0, farthest = 0, gated = 0;
  float eps = 0;
  Activation act = Activation::relu;

  Table token, buckets;
  Norm final_norm;
  struct Layer {
    Norm attn_norm;
    Linear qkv, out;  // (3 · heads · head, D), (D, heads · head)
    Norm ffn_norm;
    Linear up, down;  // (F, D), or gate and up: (2F, D); (D, F)
  };
  std::vector<Layer> blocks;

  void config(ConfigMap& map) override {
    map.integer("vocab_size", "vocab_size", vocab, 1, 1 << 24);
    // There is no limit of the model's; this one bounds the bias table.
    map.integer("context_length", "n_positions", context, 1, 1 << 20, 512);
    map.integer("embedding_length", "d_model", D, 1, 1 << 16);
    map.integer("block_count", "num_layers", n_layers, 1, 1 << 10);
    map.integer("feed_forward_length", "d_ff", F, 1, 1 << 16);
    map.integer("attention.head_count", "num_heads", H, 1, 1 << 10);
    map.integer("attention.key_length", "d_kv", head, 1, 1 << 10);
    map.integer("attention.relative_buckets_count", "relative_attention_num_buckets", n_buckets, 4, 1 << 10, 32);
    map.integer("attention.relative_max_distance", "relative_attention_max_distance", farthest, 2, 1 << 20, 128);
    map.real("attention.layer_norm_rms_epsilon", "layer_norm_epsilon", eps, 0, 1, 1e-6);
    map.integer("feed_forward_gated", nullptr, gated, 0, 1, 0);
    map.activation("hidden_activation", nullptr, act, Activation::relu);
    map.constant("attention.causal", false);
    // Half of each direction's buckets are of one distance, the others share those up to the farthest.
    if (farthest <= n_buckets / 4)
      throw Error(Status::bad_file, map.source() +
                                        ": relative_attention_max_distance: expected more than a quarter of "
                                        "the " +
                                        std::to_string(n_buckets) + " buckets, found " + std::to_string(farthest));
    if (map.hf_is("feed_forward_proj", "\"gated-gelu\"")) {
      gated = 1;
      act = Activation::gelu_tanh;
    } else {
      map.hf_expect("feed_forward_proj", "\"relu\"");
    }
  }

  void weights(WeightMap& map) override {
    blocks.resize(static_cast<size_t>(n_layers));
    const int64_t inner = H * head;
    map.table(token, "token_embd", "shared|encoder.embed_tokens", vocab, D);
    map.table(buckets, "attn_rel_b", "encoder.block.0.layer.0.SelfAttention.relative_attention_bias", n_buckets, H,
              true);
    for (int i = 0; i < layers(); ++i) {
      Layer& l = blocks[static_cast<size_t>(i)];
      map.begin_layer(i, "encoder.block.");
      map.norm(l.attn_norm, "attn_norm", "layer.0.layer_norm", D, false);
      map.linear(l.qkv, "attn_qkv",
                 {{"attn_q", "layer.0.SelfAttention.q", inner},
                  {"attn_k", "layer.0.SelfAttention.k", inner},
                  {"attn_v", "layer.0.SelfAttention.v", inner}},
                 D, false);
      map.linear(l.out, "attn_output", "layer.0.SelfAttention.o", D, inner, false);
      map.norm(l.ffn_norm, "ffn_norm", "layer.1.layer_norm", D, false);
      if (gated)
        map.linear(l.up, "ffn_gate_up",
                   {{"ffn_gate", "layer.1.DenseReluDense.wi_0", F}, {"ffn_up", "layer.1.DenseReluDense.wi_1", F}}, D,
                   false);
      else
        map.linear(l.up, "ffn_up", "layer.1.DenseReluDense.wi", F, D, false);
      map.linear(l.down, "ffn_down", "layer.1.DenseReluDense.wo", D, F, false);
    }
    map.end_layer();
    map.norm(final_norm, "output_norm", "encoder.final_layer_norm", D, false);
  }

  int64_t width() const override { return D; }
  int64_t vocabulary() const override { return token.rows; }
  int64_t positions() const override { return context; }
  int64_t types() const override { return INT32_MAX; }  // they take no part
  int layers() const override { return static_cast<int>(n_layers); }

  AttentionReach reach(int) const override { return {H * head}; }

  void prepare(Ops& op, Batch& batch) const override {
    batch.bias = relative_biases(op, buckets, batch.longest(), farthest);
  }

  Tensor embed(Ops& op, const Batch& batch) const override { return op.lookup({{{token, batch.ids}}}); }

  Tensor layer(Ops& op, const Batch& batch, int i, const Tensor& x) const override {
    const Layer& l = blocks[static_cast<size_t>(i)];
    const AttentionOptions options{.heads = static_cast<int>(H), .bias = batch.bias};
    const Tensor a = attend(op, batch, op.linear(op.rms_norm(x, l.attn_norm, eps), l.qkv), options);
    const Tensor y = op.linear(a, l.out, Activation::none, &x);
    const Tensor normed = op.rms_norm(y, l.ffn_norm, eps);
    Tensor h = op.linear(normed, l.up, gated ? Activation::none : act);
    if (gated) h = op.gate(h.columns(0, F), h.columns(F, F), act);
    return op.linear(h, l.down, Activation::none, &y);
  }

  Tensor output_norm(Ops& op, const Tensor& x) const override { return op.rms_norm(x, final_norm, eps); }
};

}  // namespace

extern const Architecture t5_encoder_architecture = {
    .gguf = "t5-encoder",
    .model_types = {"t5"},
    .prefixes = {""},
    .make = []() -> std::unique_ptr<Model> { return std::make_unique<T5Encoder>(); },
};

}  // namespace quern
