// DeBERTa-v2 and -v3 encoders (He et al., 2020, arXiv 2006.03654; 2021, arXiv 2111.09543): mxbai-rerank-*-v1, NLI and
// zero-shot classifiers. BERT without positions in its embeddings: attention adds what queries have with the places of
// keys and keys with the places of queries, by buckets of distances, through each layer's own projections.
#include <algorithm>
#include <cmath>

#include "error.h"
#include "exact_math.h"
#include "models/blocks.h"
#include "models/registry.h"

namespace quern {
namespace {

struct Deberta final : Model {
  int64_t vocab = 0, context = 0, D = 0, F = 0, H = 0, n_layers = 0, buckets = 0, farthest = 0;
  float eps = 0;
  Activation act = Activation::gelu, pooler_act = Activation::gelu;

  Table token, place;
  Norm embed_norm, place_norm;
  std::vector<PostNormLayer> blocks;

  // What derive() makes of the weights: of each layer the places' keys and queries, (D, 2 · span) each, and the place
  // of every distance.
  struct Places {
    std::vector<float> keys, queries;
  };
  std::vector<Places> places;
  std::vector<int32_t> place_of;

  int64_t span() const { return buckets > 0 ? buckets : farthest; }

  void config(ConfigMap& map) override {
    map.integer("vocab_size", "vocab_size", vocab, 1, 1 << 24);
    map.integer("context_length", "max_position_embeddings", context, 1, 1 << 20);
    map.integer("embedding_length", "hidden_size", D, 1, 1 << 16);
    map.integer("block_count", "num_hidden_layers", n_layers, 1, 1 << 10);
    map.integer("feed_forward_length", "intermediate_size", F, 1, 1 << 16);
    map.integer("attention.head_count", "num_attention_heads", H, 1, 1 << 10);
    map.integer("attention.position_buckets", "position_buckets", buckets, -1, 1 << 16, -1);
    map.integer("attention.max_relative_positions", "max_relative_positions", farthest, -1, 1 << 20, -1);
    map.real("attention.layer_norm_epsilon", "layer_norm_eps", eps, 0, 1, 1e-7);
    map.activation("hidden_activation", "hidden_act", act, Activation::gelu);
    map.activation("pooler_activation", "pooler_hidden_act", pooler_act, Activation::gelu);
    map.constant("attention.causal", false);
    buckets = std::max<int64_t>(buckets, 0);
    if (farthest < 1) farthest = context;
    check_heads(map, D, H);
    if (buckets > 0 && (buckets < 4 || (farthest - 1 <= buckets / 2 && context - 1 > buckets / 2)))
      throw Error(Status::bad_file, map.source() + ": position_buckets: expected 4 or more, and half of them below " +
                                        "max_relative_positions, which is " + std::to_string(farthest) + ", found " +
                                        std::to_string(buckets));
    if (!map.is_hf()) return;
    const auto has = [&](std::initializer_list<const char*> values) {
      return std::any_of(values.begin(), values.end(), [&](const char* v) { return map.hf_is("pos_att_type", v); });
    };
    if (!map.hf_is("relative_attention", "true") ||
        !has({R"("p2c|c2p")", R"("c2p|p2c")", R"(["p2c","c2p"])", R"(["c2p","p2c"])"}))
      throw Error(Status::unsupported,
                  map.source() + ": quern runs DeBERTa with relative_attention true and pos_att_type p2c|c2p only");
    map.hf_expect("share_att_key", "true");
    map.hf_expect("norm_rel_ebd", "\"layer_norm\"");
    map.hf_expect("position_biased_input", "false");
    map.hf_expect("type_vocab_size", "0");
    map.hf_expect("conv_kernel_size", "0");  // deberta-v2-xlarge's convolution behind the first layer
    map.hf_expect("embedding_size", std::to_string(D).c_str());
  }

  void weights(WeightMap& map) override {
    blocks.resize(static_cast<size_t>(n_layers));
    map.table(token, "token_embd", "embeddings.word_embeddings", vocab, D);
    map.norm(embed_norm, "token_embd_norm", "embeddings.LayerNorm", D);
    map.table(place, "rel_embd", "encoder.rel_embeddings", 2 * span(), D, true);
    map.norm(place_norm, "rel_embd_norm", "encoder.LayerNorm", D);
    for (int i = 0; i < layers(); ++i) {
      PostNormLayer& l = blocks[static_cast<size_t>(i)];
      map.begin_layer(i, "encoder.layer.");
      map.linear(l.qkv, "attn_qkv",
                 {{"attn_q", "attention.self.query_proj", D},
                  {"attn_k", "attention.self.key_proj", D},
                  {"attn_v", "attention.self.value_proj", D}},
                 D);
      map.linear(l.out, "attn_output", "attention.output.dense", D, D);
      map.norm(l.attn_norm, "attn_output_norm", "attention.output.LayerNorm", D);
      map.linear(l.up, "ffn_up", "intermediate.dense", F, D);
      map.linear(l.down, "ffn_down", "output.dense", D, F);
      map.norm(l.ffn_norm, "layer_output_norm", "output.LayerNorm", D);
    }
    map.end_layer();
  }

  HeadLayers head(Task task) const override {
    switch (task) {
      case Task::sequence_classification:
        return {.dense = true, .activation = pooler_act, .hf = {"pooler.dense", "", "classifier", ""}};
      case Task::token_classification:
        return {.hf = {"", "", "classifier", ""}};
      case Task::masked_lm:
        return {.dense = true,
                .norm = true,
                .activation = act,
                .eps = eps,
                .hf = {"cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm",
                       "cls.predictions.decoder|embeddings.word_embeddings",
                       "cls.predictions.decoder.bias|cls.predictions.bias"}};
    }
    return Model::head(task);
  }

  int64_t width() const override { return D; }
  int64_t vocabulary() const override { return token.rows; }
  int64_t positions() const override { return context; }
  int64_t types() const override { return INT32_MAX; }  // they take no part
  int layers() const override { return static_cast<int>(n_layers); }
  bool derives() const override { return true; }

  // The bucket of a distance: near ones have their own, others share one by their logarithm.
  int64_t bucket(int64_t distance) const {
    const int64_t middle = buckets / 2, far = std::abs(distance);
    if (buckets <= 0 || far <= middle) return distance;
    const float part = static_cast<float>(
                    logarithm(static_cast<double>(static_cast<float>(far) / static_cast<float>(middle)))),
                whole = static_cast<float>(
                    logarithm(static_cast<double>(static_cast<float>(farthest - 1) / static_cast<float>(middle))));
    const int64_t place = static_cast<int64_t>(std::ceil(part / whole * static_cast<float>(middle - 1))) + middle;
    return distance < 0 ? -place : place;
  }

  void derive(Ops& op) override {
    place_of.clear();
    for (int64_t distance = 1 - context; distance < context; ++distance)
      place_of.push_back(static_cast<int32_t>(std::clamp<int64_t>(bucket(distance) + span(), 0, 2 * span() - 1)));
    std::vector<int32_t> all(static_cast<size_t>(2 * span()));
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int32_t>(i);
    places.resize(blocks.size());
    Ops::Scope scope(op);
    const Ops::Lookup lookup[] = {{place, all}};
    const Tensor x = op.layer_norm(op.lookup(lookup), place_norm, eps);
    const auto kept = [&](const Tensor& columns) {
      std::vector<float> room;
      const std::span<const float> values = op.read(op.transpose(columns), room);
      return std::vector<float>(values.begin(), values.end());
    };
    for (size_t i = 0; i < blocks.size(); ++i) {
      Ops::Scope inner(op);
      const Tensor qkv = op.linear(x, blocks[i].qkv);
      places[i] = {kept(qkv.columns(D, D)), kept(qkv.columns(0, D))};
    }
  }

  Tensor embed(Ops& op, const Batch& batch) const override {
    const Ops::Lookup all[] = {{token, batch.ids}};
    return op.layer_norm(op.lookup(all), embed_norm, eps);
  }

  Tensor layer(Ops& op, const Batch& batch, int i, const Tensor& x) const override {
    AttentionOptions options = scaled_attention(D, H);
    options.scale /= std::sqrt(3.0f);  // three products are added
    const Places& p = places[static_cast<size_t>(i)];
    options.places = {p.keys.data(), p.queries.data(), 2 * span(), place_of};
    return run(op, batch, blocks[static_cast<size_t>(i)], x, options, act, eps);
  }
};

}  // namespace

extern const Architecture deberta_architecture = {
    .gguf = "deberta-v2",
    .model_types = {"deberta-v2"},
    .prefixes = {"", "deberta."},
    .make = []() -> std::unique_ptr<Model> { return std::make_unique<Deberta>(); },
};

}  // namespace quern
