// MPNet encoder (Song et al., 2020, arXiv 2004.09297): all-mpnet-base-v2, multi-qa-mpnet-*, paraphrase-mpnet-*.
// BERT without segment types, with a relative position bias that all layers share beside the absolute positions.
#include <algorithm>

#include "models/blocks.h"
#include "models/registry.h"
#include "models/relative_bias.h"

namespace quern {
namespace {

constexpr int64_t kBuckets = 32, kFarthest = 128;  // of every checkpoint

struct MpNet final : Model {
  int64_t vocab = 0, context = 0, D = 0, F = 0, H = 0, n_layers = 0;
  PadPositions pad;
  float eps = 0;
  Activation act = Activation::gelu;

  Table token, position, buckets;
  Norm embed_norm;
  std::vector<PostNormLayer> blocks;

  void config(ConfigMap& map) override {
    map.integer("vocab_size", "vocab_size", vocab, 1, 1 << 24);
    map.integer("context_length", "max_position_embeddings", context, 1, 1 << 20);
    map.integer("embedding_length", "hidden_size", D, 1, 1 << 16);
    map.integer("block_count", "num_hidden_layers", n_layers, 1, 1 << 10);
    map.integer("feed_forward_length", "intermediate_size", F, 1, 1 << 16);
    map.integer("attention.head_count", "num_attention_heads", H, 1, 1 << 10);
    map.hf_expect("relative_attention_num_buckets", "32");
    map.real("attention.layer_norm_epsilon", "layer_norm_eps", eps, 0, 1, 1e-12);
    map.activation("hidden_activation", "hidden_act", act, Activation::gelu);
    map.constant("attention.causal", false);
    check_heads(map, D, H);
    pad.config(map, nullptr, context);  // 1 in every checkpoint, whatever config.json says
  }

  void weights(WeightMap& map) override {
    blocks.resize(static_cast<size_t>(n_layers));
    map.table(token, "token_embd", "embeddings.word_embeddings", vocab, D);
    map.table(position, "position_embd", "embeddings.position_embeddings", 0, D, true).hf_skip = pad.skipped();
    map.norm(embed_norm, "token_embd_norm", "embeddings.LayerNorm", D);
    map.table(buckets, "attn_rel_b", "encoder.relative_attention_bias", kBuckets, H, true);
    for (int i = 0; i < layers(); ++i) {
      PostNormLayer& l = blocks[static_cast<size_t>(i)];
      map.begin_layer(i, "encoder.layer.");
      map.linear(
          l.qkv, "attn_qkv",
          {{"attn_q", "attention.attn.q", D}, {"attn_k", "attention.attn.k", D}, {"attn_v", "attention.attn.v", D}}, D);
      map.linear(l.out, "attn_output", "attention.attn.o", D, D);
      map.norm(l.attn_norm, "attn_output_norm", "attention.LayerNorm", D);
      map.linear(l.up, "ffn_up", "intermediate.dense", F, D);
      map.linear(l.down, "ffn_down", "output.dense", D, F);
      map.norm(l.ffn_norm, "layer_output_norm", "output.LayerNorm", D);
    }
    map.end_layer();
  }

  HeadLayers head(Task task) const override {
    switch (task) {
      case Task::sequence_classification:
        return {
            .dense = true, .activation = Activation::tanh, .hf = {"classifier.dense", "", "classifier.out_proj", ""}};
      case Task::token_classification:
        return {.hf = {"", "", "classifier", ""}};
      case Task::masked_lm:
        return roberta_masked_lm(Activation::gelu, eps);
    }
    return Model::head(task);
  }

  int64_t width() const override { return D; }
  int64_t vocabulary() const override { return token.rows; }
  int64_t positions() const override { return std::min(context, position.rows); }
  int64_t types() const override { return INT32_MAX; }  // they take no part
  int layers() const override { return static_cast<int>(n_layers); }

  void prepare(Ops& op, Batch& batch) const override {
    batch.bias = relative_biases(op, buckets, batch.longest(), kFarthest);
  }

  Tensor embed(Ops& op, const Batch& batch) const override {
    const std::vector<int32_t> positions = positions_of(batch, pad.token);
    return op.layer_norm(op.lookup({{{token, batch.ids}, {position, positions}}}), embed_norm, eps);
  }

  Tensor layer(Ops& op, const Batch& batch, int i, const Tensor& x) const override {
    AttentionOptions options = scaled_attention(D, H);
    options.bias = batch.bias;
    return run(op, batch, blocks[static_cast<size_t>(i)], x, options, act, eps);
  }
};

}  // namespace

extern const Architecture mpnet_architecture = {
    .gguf = "mpnet",
    .model_types = {"mpnet"},
    .prefixes = {"", "mpnet."},
    .make = []() -> std::unique_ptr<Model> { return std::make_unique<MpNet>(); },
};

}  // namespace quern
