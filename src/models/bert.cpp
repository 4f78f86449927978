// BERT encoder (Devlin et al., 2018, arXiv 1810.04805): all-MiniLM-*, bge-*-en-v1.5, e5-*-v2, ms-marco-MiniLM-*, and
// the models that differ in names alone: RoBERTa and XLM-R (bge-m3, multilingual-e5-*, bge-reranker-*), DistilBERT.
// Post-norm, learned absolute positions, segment types, bidirectional attention.
#include <algorithm>

#include "models/blocks.h"
#include "models/registry.h"

namespace quern {
namespace {

// How a family's Hugging Face files call things. GGUF has one spelling for all.
struct Names {
  const char *width, *layers, *hidden, *heads, *activation;                 // config.json
  const char *blocks, *q, *k, *v, *out, *attn_norm, *up, *down, *ffn_norm;  // of a layer
  bool segments;
  HeadLayers::Names sequence, tokens, masked;
  Activation sequence_activation;
};

const Names kBert = {
    .width = "hidden_size",
    .layers = "num_hidden_layers",
    .hidden = "intermediate_size",
    .heads = "num_attention_heads",
    .activation = "hidden_act",
    .blocks = "encoder.layer.",
    .q = "attention.self.query",
    .k = "attention.self.key",
    .v = "attention.self.value",
    .out = "attention.output.dense",
    .attn_norm = "attention.output.LayerNorm",
    .up = "intermediate.dense",
    .down = "output.dense",
    .ffn_norm = "output.LayerNorm",
    .segments = true,
    .sequence = {"pooler.dense", "", "classifier", ""},
    .tokens = {"", "", "classifier", ""},
    .masked = {"cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm",
               "cls.predictions.decoder|embeddings.word_embeddings",
               "cls.predictions.decoder.bias|cls.predictions.bias"},
    .sequence_activation = Activation::tanh,
};

const Names kRoberta = [] {
  Names n = kBert;
  n.sequence = {"classifier.dense", "", "classifier.out_proj", ""};
  n.masked = roberta_masked_lm({}, 0).hf;
  return n;
}();

const Names kDistilbert = {
    .width = "dim",
    .layers = "n_layers",
    .hidden = "hidden_dim",
    .heads = "n_heads",
    .activation = "activation",
    .blocks = "transformer.layer.",
    .q = "attention.q_lin",
    .k = "attention.k_lin",
    .v = "attention.v_lin",
    .out = "attention.out_lin",
    .attn_norm = "sa_layer_norm",
    .up = "ffn.lin1",
    .down = "ffn.lin2",
    .ffn_norm = "output_layer_norm",
    .segments = false,
    .sequence = {"pre_classifier", "", "classifier", ""},
    .tokens = {"", "", "classifier", ""},
    .masked = {"vocab_transform", "vocab_layer_norm", "vocab_projector|embeddings.word_embeddings",
               "vocab_projector.bias"},
    .sequence_activation = Activation::relu,
};

struct Bert final : Model {
  // after_pad: positions start after the row of pad_token_id in Hugging Face's table, as fairseq's models have it.
  explicit Bert(const Names& names, bool after_pad = false) : names(names), after_pad(after_pad) {}

  const Names& names;
  const bool after_pad;
  PadPositions pad;
  int64_t vocab = 0, context = 0, segments = 0, D = 0, F = 0, H = 0, n_layers = 0;
  float eps = 0;
  Activation act = Activation::gelu;

  Table token, position, segment;
  Norm embed_norm;
  std::vector<PostNormLayer> blocks;

  void config(ConfigMap& map) override {
    map.integer("vocab_size", "vocab_size", vocab, 0, 1 << 24, 0);
    map.integer("context_length", "max_position_embeddings", context, 1, 1 << 20);
    map.integer("type_vocab_size", "type_vocab_size", segments, 0, kAsInFile, names.segments ? kAsInFile : 0);
    map.integer("embedding_length", names.width, D, 1, 1 << 16);
    map.integer("block_count", names.layers, n_layers, 1, 1 << 10);
    map.integer("feed_forward_length", names.hidden, F, 1, 1 << 16);
    map.integer("attention.head_count", names.heads, H, 1, 1 << 10);
    map.real("attention.layer_norm_epsilon", "layer_norm_eps", eps, 0, 1, 1e-12);
    map.activation("hidden_activation", names.activation, act, Activation::gelu);
    map.constant("attention.causal", false);
    map.hf_expect("position_embedding_type", "\"absolute\"");
    map.hf_expect("is_decoder", "false");
    check_heads(map, D, H);
    if (after_pad || !map.is_hf()) pad.config(map, "pad_token_id|padding_idx", context);
  }

  void weights(WeightMap& map) override {
    blocks.resize(static_cast<size_t>(n_layers));
    map.table(token, "token_embd", "embeddings.word_embeddings", vocab, D);
    map.table(position, "position_embd", "embeddings.position_embeddings", 0, D, true).hf_skip = pad.skipped();
    segment_table(map, segment, segments, D);
    map.norm(embed_norm, "token_embd_norm", "embeddings.LayerNorm", D);
    for (int i = 0; i < layers(); ++i) {
      PostNormLayer& l = blocks[static_cast<size_t>(i)];
      map.begin_layer(i, names.blocks);
      map.linear(l.qkv, "attn_qkv", {{"attn_q", names.q, D}, {"attn_k", names.k, D}, {"attn_v", names.v, D}}, D);
      map.linear(l.out, "attn_output", names.out, D, D);
      map.norm(l.attn_norm, "attn_output_norm", names.attn_norm, D);
      map.linear(l.up, "ffn_up", names.up, F, D);
      map.linear(l.down, "ffn_down", names.down, D, F);
      map.norm(l.ffn_norm, "layer_output_norm", names.ffn_norm, D);
    }
    map.end_layer();
  }

  HeadLayers head(Task task) const override {
    switch (task) {
      case Task::sequence_classification:
        return {.dense = true, .activation = names.sequence_activation, .hf = names.sequence};
      case Task::token_classification:
        return {.hf = names.tokens};
      case Task::masked_lm:
        return {.dense = true, .norm = true, .activation = act, .eps = eps, .hf = names.masked};
    }
    return Model::head(task);
  }

  int64_t width() const override { return D; }
  int64_t vocabulary() const override { return token.rows; }
  int64_t positions() const override { return std::min(context, position.rows); }
  int64_t types() const override { return std::max<int64_t>(segment.rows, 1); }
  int layers() const override { return static_cast<int>(n_layers); }

  Tensor embed(Ops& op, const Batch& batch) const override {
    const std::vector<int32_t> positions = positions_of(batch, pad.token);
    const Ops::Lookup all[] = {{token, batch.ids}, {position, positions}, {segment, batch.types}};
    const Tensor x = op.lookup(std::span(all).first(segment.rows > 0 ? 3 : 2));
    return op.layer_norm(x, embed_norm, eps);
  }

  Tensor layer(Ops& op, const Batch& batch, int i, const Tensor& x) const override {
    return run(op, batch, blocks[static_cast<size_t>(i)], x, scaled_attention(D, H), act, eps);
  }
};

}  // namespace

extern const Architecture bert_architecture = {
    .gguf = "bert",
    .model_types = {"bert"},
    .prefixes = {"", "bert."},
    .make = []() -> std::unique_ptr<Model> { return std::make_unique<Bert>(kBert); },
};

extern const Architecture roberta_architecture = {
    .gguf = "bert",
    .model_types = {"roberta", "xlm-roberta", "camembert"},
    .prefixes = {"", "roberta."},
    .make = []() -> std::unique_ptr<Model> { return std::make_unique<Bert>(kRoberta, true); },
};

extern const Architecture distilbert_architecture = {
    .gguf = "bert",
    .model_types = {"distilbert"},
    .prefixes = {"", "distilbert."},
    .make = []() -> std::unique_ptr<Model> { return std::make_unique<Bert>(kDistilbert); },
};

}  // namespace quern
