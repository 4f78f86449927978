// BERT encoder (Devlin et al., 2018, arXiv 1810.04805): all-MiniLM-*, bge-*-en-v1.5, e5-*-v2, gte-*.
// Post-norm, learned absolute positions, segment types, bidirectional attention.
#include <algorithm>
#include <cmath>

#include "error.h"
#include "models/model.h"
#include "models/registry.h"

namespace quern {
namespace {

struct Bert final : Model {
  int64_t vocab = 0, context = 0, segments = 0, D = 0, F = 0, H = 0, n_layers = 0;
  float eps = 0;
  Activation act = Activation::gelu;

  Table token, position, segment;
  Norm embed_norm;
  struct Layer {
    Linear qkv, out;  // (3D, D), (D, D)
    Norm attn_norm;
    Linear up, down;  // (F, D), (D, F)
    Norm ffn_norm;
  };
  std::vector<Layer> blocks;

  void config(ConfigMap& map) override {
    map.integer("vocab_size", "vocab_size", vocab, 0, 1 << 24, 0);
    map.integer("context_length", "max_position_embeddings", context, 1, 1 << 20);
    map.integer("type_vocab_size", "type_vocab_size", segments, 0, 1 << 10, 0);
    map.integer("embedding_length", "hidden_size", D, 1, 1 << 16);
    map.integer("block_count", "num_hidden_layers", n_layers, 1, 1 << 10);
    map.integer("feed_forward_length", "intermediate_size", F, 1, 1 << 16);
    map.integer("attention.head_count", "num_attention_heads", H, 1, 1 << 10);
    map.real("attention.layer_norm_epsilon", "layer_norm_eps", eps, 0, 1, 1e-12);
    map.activation("hidden_activation", "hidden_act", act, Activation::gelu);
    map.constant("attention.causal", false);
    if (D % H != 0)
      throw Error(Status::bad_file, map.source() + ": the width " + std::to_string(D) + " is not a multiple of the " +
                                        std::to_string(H) + " attention heads");
  }

  void weights(WeightMap& map) override {
    blocks.resize(static_cast<size_t>(n_layers));
    map.table(token, "token_embd", "embeddings.word_embeddings", vocab, D);
    map.table(position, "position_embd", "embeddings.position_embeddings", 0, D, true);
    map.table(segment, "token_types", "embeddings.token_type_embeddings", segments, D, true);
    map.norm(embed_norm, "token_embd_norm", "embeddings.LayerNorm", D);
    for (int i = 0; i < layers(); ++i) {
      Layer& l = blocks[static_cast<size_t>(i)];
      map.begin_layer(i, "encoder.layer.");
      map.linear(l.qkv, "attn_qkv",
                 {{"attn_q", "attention.self.query", D},
                  {"attn_k", "attention.self.key", D},
                  {"attn_v", "attention.self.value", D}},
                 D);
      map.linear(l.out, "attn_output", "attention.output.dense", D, D);
      map.norm(l.attn_norm, "attn_output_norm", "attention.output.LayerNorm", D);
      map.linear(l.up, "ffn_up", "intermediate.dense", F, D);
      map.linear(l.down, "ffn_down", "output.dense", D, F);
      map.norm(l.ffn_norm, "layer_output_norm", "output.LayerNorm", D);
    }
    map.end_layer();
  }

  int64_t width() const override { return D; }
  int64_t vocabulary() const override { return token.rows; }
  int64_t positions() const override { return std::min(context, position.rows); }
  int64_t types() const override { return segment.rows; }
  int layers() const override { return static_cast<int>(n_layers); }

  Tensor embed(Ops& op, const Batch& batch) const override {
    int32_t* places = op.arena().take<int32_t>(static_cast<int64_t>(batch.ids.size()));
    for (const Sequence& text : batch.texts)
      for (int64_t i = 0; i < text.length; ++i) places[text.first + i] = static_cast<int32_t>(i);
    const Tensor x = op.lookup({{{token, batch.ids}, {position, {places, batch.ids.size()}}, {segment, batch.types}}});
    return op.layer_norm(x, embed_norm, eps);
  }

  Tensor layer(Ops& op, const Batch& batch, int i, const Tensor& x) const override {
    const Layer& l = blocks[static_cast<size_t>(i)];
    const Tensor qkv = op.linear(x, l.qkv);
    const Tensor a = op.attention(qkv.columns(0, D), qkv.columns(D, D), qkv.columns(2 * D, D), batch.texts,
                                  {.heads = static_cast<int>(H), .scale = 1.0f / std::sqrt(static_cast<float>(D / H))});
    const Tensor y = op.layer_norm(op.linear(a, l.out, Activation::none, &x), l.attn_norm, eps);
    const Tensor h = op.linear(y, l.up, act);
    return op.layer_norm(op.linear(h, l.down, Activation::none, &y), l.ffn_norm, eps);
  }
};

}  // namespace

extern const Architecture bert_architecture = {
    .gguf = "bert",
    .model_types = {"bert"},
    .prefixes = {"", "bert."},
    .make = []() -> std::unique_ptr<Model> { return std::make_unique<Bert>(); },
};

}  // namespace quern
