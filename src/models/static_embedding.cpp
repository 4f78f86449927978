// A vector for each token and no layers: a text's vector is the mean of its tokens'. model2vec (minishlab/potion-*;
// van Dongen & Tulkens, 2024) and sentence-transformers' StaticEmbedding (static-retrieval-mrl-en-v1,
// static-similarity-mrl-multilingual-v1).
#include "error.h"
#include "models/registry.h"

namespace quern {
namespace {

struct StaticEmbedding final : Model {
  int64_t D = 0;
  Table token;

  // Nothing but the table's own rows limits a text; this bounds what one text's vectors take in memory.
  static constexpr int64_t kLongest = 1 << 15;

  void config(ConfigMap& map) override {
    if (map.is_hf()) {  // sentence-transformers' folders have no config.json
      D = map.hf_columns("embedding|embeddings");
      if (D == 0)
        throw Error(Status::bad_file,
                    map.source() + ": the weights beside it have no matrix \"embedding.weight\" or \"embeddings\"");
    }
    map.integer("embedding_length", nullptr, D, 1, 1 << 16, D);
  }

  void weights(WeightMap& map) override {
    WeightSpec& spec = map.table(token, "token_embd", "embedding|embeddings", 0, D);
    spec.hf_rows = "mapping";
    spec.hf_row_scales = "weights";
  }

  int64_t width() const override { return D; }
  int64_t vocabulary() const override { return token.rows; }
  int64_t positions() const override { return kLongest; }
  int64_t types() const override { return INT32_MAX; }  // they take no part
  int layers() const override { return 0; }

  Tensor embed(Ops& op, const Batch& batch) const override { return op.lookup({{{token, batch.ids}}}); }
  Tensor layer(Ops&, const Batch&, int, const Tensor& x) const override { return x; }
};

}  // namespace

extern const Architecture static_embedding_architecture = {
    .gguf = "static-embedding",
    .model_types = {"model2vec", "static_embedding"},
    .prefixes = {""},
    .make = []() -> std::unique_ptr<Model> { return std::make_unique<StaticEmbedding>(); },
};

}  // namespace quern
