// Steps that several architectures share.
#pragma once
#include "models/model.h"

namespace quern {

// Attention over qkv (T, 3 · inner): queries, keys and values side by side; with rotary positions, queries and keys are
// rotated first, in place.
Tensor attend(Ops& op, const Batch& batch, const Tensor& qkv, const AttentionOptions& options,
              const Rotary* rotary = nullptr);

// heads and scale 1/√d of plain attention over width D.
AttentionOptions scaled_attention(int64_t D, int64_t heads);

// A layer of BERT's shape: norms after attention and after the feed-forward part, each with the residual.
struct PostNormLayer {
  Linear qkv, out;  // (3D, D), (D, D)
  Norm attn_norm;
  Linear up, down;  // (F, D), or gated: up, then gate, (2F, D); (D, F)
  Norm ffn_norm;
};
Tensor run(Ops& op, const Batch& batch, const PostNormLayer& l, const Tensor& x, const AttentionOptions& options,
           Activation activation, float eps, const Rotary* rotary = nullptr);

// The table of segment types. Files of llama.cpp's have it without stating its size: kAsInFile. 0: there is none.
constexpr int64_t kAsInFile = 1 << 10;
void segment_table(WeightMap& map, Table& to, int64_t segments, int64_t D);

// The head for masked language modelling that RoBERTa has, and most since.
HeadLayers roberta_masked_lm(Activation activation, float eps);

// Positions of fairseq's models (RoBERTa, MPNet and kin): they start after the row of the padding token in Hugging
// Face's table; GGUF files hold the rows that are used. A padding token that stands in a text has no position and is
// not counted: its row is zeros, which training never changes (padding_idx of torch's Embedding).
struct PadPositions {
  int64_t token = -1;  // -1: as of models without such positions, and of files that do not say

  // hf: its key in config.json; 1 without. Takes the rows that are skipped off `context`.
  void config(ConfigMap& map, const char* hf, int64_t& context);
  int64_t skipped() const { return token + 1; }  // of Hugging Face's table
};

// Each token's position in its text, 0, 1, … unplaced: a token that has none (-1) and is not counted.
std::vector<int32_t> positions_of(const Batch& batch, int64_t unplaced = -1);

// Angles of position 1 for n pairs of values: base^(-i / n) / factor of pair i.
std::vector<float> rotary_frequencies(int64_t n, float base, float factor = 1);
// Rotary positions of a batch whose texts all turn by these.
Rotary rotary_of(Ops& op, const Batch& batch, int64_t d, float base, float factor = 1);

// Throws Error{bad_file} unless D is `heads` heads of one width, an even one if they are rotated.
void check_heads(const ConfigMap& map, int64_t D, int64_t heads, bool rotated = false);

}  // namespace quern
