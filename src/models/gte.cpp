// GTE encoder (Zhang et al., 2024, arXiv 2407.19669): gte-base-en-v1.5, gte-large-en-v1.5, gte-multilingual-base,
// gte-multilingual-reranker-base, snowflake-arctic-embed-m-v2.0. Post-norm, rotary positions, gated feed-forward.
#include "exact_math.h"
#include "models/blocks.h"
#include "models/registry.h"

namespace quern {
namespace {

struct Gte final : Model {
  int64_t vocab = 0, context = 0, segments = 0, D = 0, F = 0, H = 0, n_layers = 0;
  float eps = 0, base = 0, factor = 1;  // rotary angles: of this base, divided by factor
  Activation act = Activation::gelu;

  Table token, segment;
  Norm embed_norm;
  std::vector<PostNormLayer> blocks;

  void config(ConfigMap& map) override {
    map.integer("vocab_size", "vocab_size", vocab, 1, 1 << 24);
    map.integer("context_length", "max_position_embeddings", context, 1, 1 << 20);
    map.integer("type_vocab_size", "type_vocab_size", segments, 0, kAsInFile, 0);
    map.integer("embedding_length", "hidden_size", D, 1, 1 << 16);
    map.integer("block_count", "num_hidden_layers", n_layers, 1, 1 << 10);
    map.integer("feed_forward_length", "intermediate_size", F, 1, 1 << 16);
    map.integer("attention.head_count", "num_attention_heads", H, 1, 1 << 10);
    map.real("attention.layer_norm_epsilon", "layer_norm_eps", eps, 0, 1, 1e-12);
    map.real("rope.freq_base", "rope_theta|rope_parameters.rope_theta", base, 1, 1e12, 10000);
    map.real("rope.scaling.factor", nullptr, factor, 1e-3, 1e6, 1);
    map.activation("hidden_activation", "hidden_act", act, Activation::gelu);
    map.constant("attention.causal", false);
    map.hf_expect("layer_norm_type", "\"layer_norm\"");
    map.hf_expect("position_embedding_type", "\"rope\"");
    map.hf_expect("logn_attention_scale", "false");
    map.hf_expect("rope_parameters.rope_type", "\"default\"");
    map.hf_expect("rope_scaling.type|rope_scaling.rope_type", "\"ntk\"");
    check_heads(map, D, H, true);
    // "ntk" as the checkpoints' own code has it: the base times s, all frequencies divided by s^(2 / d).
    if (double s = 1; map.hf_real("rope_scaling.factor", s, 1, 1e6)) {
      base *= static_cast<float>(s);
      factor = static_cast<float>(power(s, 2.0 / static_cast<double>(D / H)));
    }
  }

  void weights(WeightMap& map) override {
    blocks.resize(static_cast<size_t>(n_layers));
    map.table(token, "token_embd", "embeddings.word_embeddings", vocab, D);
    segment_table(map, segment, segments, D);
    map.norm(embed_norm, "token_embd_norm", "embeddings.LayerNorm", D);
    for (int i = 0; i < layers(); ++i) {
      PostNormLayer& l = blocks[static_cast<size_t>(i)];
      map.begin_layer(i, "encoder.layer.");
      map.linear(l.qkv, "attn_qkv", "attention.qkv_proj", 3 * D, D);
      map.linear(l.out, "attn_output", "attention.o_proj", D, D);
      map.norm(l.attn_norm, "attn_output_norm", "attn_ln", D);
      map.linear(l.up, "ffn_up_gate", "mlp.up_gate_proj", 2 * F, D, false);
      map.linear(l.down, "ffn_down", "mlp.down_proj", D, F);
      map.norm(l.ffn_norm, "layer_output_norm", "mlp_ln", D);
    }
    map.end_layer();
  }

  HeadLayers head(Task task) const override {
    switch (task) {
      case Task::sequence_classification:
        return {.dense = true, .activation = Activation::tanh, .hf = {"pooler.dense", "", "classifier", ""}};
      case Task::token_classification:
        return {.hf = {"", "", "classifier", ""}};
      case Task::masked_lm:
        return roberta_masked_lm(Activation::gelu, eps);
    }
    return Model::head(task);
  }

  int64_t width() const override { return D; }
  int64_t vocabulary() const override { return token.rows; }
  int64_t positions() const override { return context; }
  int64_t types() const override { return segments > 0 ? segment.rows : INT32_MAX; }
  int layers() const override { return static_cast<int>(n_layers); }

  void prepare(Ops& op, Batch& batch) const override { batch.rotary[0] = rotary_of(op, batch, D / H, base, factor); }

  Tensor embed(Ops& op, const Batch& batch) const override {
    const Ops::Lookup all[] = {{token, batch.ids}, {segment, batch.types}};
    return op.layer_norm(op.lookup(std::span(all).first(segment.rows > 0 ? 2 : 1)), embed_norm, eps);
  }

  Tensor layer(Ops& op, const Batch& batch, int i, const Tensor& x) const override {
    return run(op, batch, blocks[static_cast<size_t>(i)], x, scaled_attention(D, H), act, eps, &batch.rotary[0]);
  }
};

}  // namespace

extern const Architecture gte_architecture = {
    .gguf = "gte",
    .model_types = {"new", "gte"},
    .prefixes = {"", "new.", "gte."},
    .make = []() -> std::unique_ptr<Model> { return std::make_unique<Gte>(); },
};

}  // namespace quern
