// Nomic BERT encoder (Nussbaum et al., 2024, arXiv 2402.01613): nomic-embed-text-v1 and v1.5.
// Post-norm, rotary positions, gated feed-forward (SwiGLU), no biases in the linears.
#include <algorithm>

#include "models/blocks.h"
#include "models/registry.h"

namespace quern {
namespace {

struct NomicBert final : Model {
  int64_t vocab = 0, context = 0, segments = 0, D = 0, F = 0, H = 0, n_layers = 0;
  float eps = 0, base = 0;
  Activation act = Activation::silu;

  Table token, segment;
  Norm embed_norm;
  std::vector<PostNormLayer> blocks;

  // The keys are those of the checkpoints' own code, then those of transformers.
  void config(ConfigMap& map) override {
    map.integer("vocab_size", "vocab_size", vocab, 0, 1 << 24, 0);
    map.integer("context_length", "n_positions|max_position_embeddings", context, 1, 1 << 20);
    map.integer("token_type_count", "type_vocab_size", segments, 0, kAsInFile, kAsInFile);
    map.integer("embedding_length", "n_embd|hidden_size", D, 1, 1 << 16);
    map.integer("block_count", "n_layer|num_hidden_layers", n_layers, 1, 1 << 10);
    map.integer("feed_forward_length", "n_inner|intermediate_size", F, 1, 1 << 16);
    map.integer("attention.head_count", "n_head|num_attention_heads", H, 1, 1 << 10);
    map.real("attention.layer_norm_epsilon", "layer_norm_epsilon|layer_norm_eps", eps, 0, 1, 1e-12);
    map.real("rope.freq_base", "rotary_emb_base|rope_parameters.rope_theta|rope_theta", base, 1, 1e12, 1000);
    map.constant("attention.causal", false);
    for (const char* key : {"prenorm", "rotary_emb_interleaved", "qkv_proj_bias", "mlp_fc1_bias", "mlp_fc2_bias"})
      map.hf_expect(key, "false");
    map.hf_expect("rotary_emb_fraction", "1.0");
    map.hf_expect("activation_function", "\"swiglu\"");
    map.hf_expect("hidden_act", "\"silu\"");
    map.hf_expect("rope_parameters.rope_type", "\"default\"");
    map.hf_expect("rotary_scaling_factor", "null");
    map.hf_expect("moe_every_n_layers", "0");
    check_heads(map, D, H, true);
  }

  void weights(WeightMap& map) override {
    blocks.resize(static_cast<size_t>(n_layers));
    map.table(token, "token_embd", "embeddings.word_embeddings", vocab, D);
    segment_table(map, segment, segments, D);
    map.norm(embed_norm, "token_embd_norm", "emb_ln", D);
    for (int i = 0; i < layers(); ++i) {
      PostNormLayer& l = blocks[static_cast<size_t>(i)];
      map.begin_layer(i, "encoder.layers.");
      map.linear(l.qkv, "attn_qkv", "attn.Wqkv", 3 * D, D, false);
      map.linear(l.out, "attn_output", "attn.out_proj", D, D, false);
      map.norm(l.attn_norm, "attn_output_norm", "norm1", D);
      map.linear(l.up, "ffn_up_gate", {{"ffn_up", "mlp.fc11", F}, {"ffn_gate", "mlp.fc12", F}}, D, false);
      map.linear(l.down, "ffn_down", "mlp.fc2", D, F, false);
      map.norm(l.ffn_norm, "layer_output_norm", "norm2", D);
    }
    map.end_layer();
  }

  int64_t width() const override { return D; }
  int64_t vocabulary() const override { return token.rows; }
  int64_t positions() const override { return context; }
  int64_t types() const override { return std::max<int64_t>(segment.rows, 1); }
  int layers() const override { return static_cast<int>(n_layers); }

  void prepare(Ops& op, Batch& batch) const override { batch.rotary[0] = rotary_of(op, batch, D / H, base); }

  Tensor embed(Ops& op, const Batch& batch) const override {
    const Ops::Lookup all[] = {{token, batch.ids}, {segment, batch.types}};
    return op.layer_norm(op.lookup(std::span(all).first(segment.rows > 0 ? 2 : 1)), embed_norm, eps);
  }

  Tensor layer(Ops& op, const Batch& batch, int i, const Tensor& x) const override {
    return run(op, batch, blocks[static_cast<size_t>(i)], x, scaled_attention(D, H), act, eps, &batch.rotary[0]);
  }
};

}  // namespace

extern const Architecture nomic_bert_architecture = {
    .gguf = "nomic-bert",
    .model_types = {"nomic_bert"},
    .prefixes = {"", "nomic_bert.", "bert."},
    .make = []() -> std::unique_ptr<Model> { return std::make_unique<NomicBert>(); },
};

}  // namespace quern
