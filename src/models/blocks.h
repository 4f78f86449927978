// Steps that several architectures share.
#pragma once
#include "models/model.h"

namespace quern {

// Attention over qkv (T, 3 · inner): queries, keys and values side by side; with angles, queries and keys are rotated
// first, in place.
Tensor attend(Ops& op, const Batch& batch, const Tensor& qkv, const AttentionOptions& options,
              const Tensor* angles = nullptr);

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
           Activation activation, float eps, const Tensor* angles = nullptr);

// The table of segment types. Files of llama.cpp's have it without stating its size: kAsInFile. 0: there is none.
constexpr int64_t kAsInFile = 1 << 10;
void segment_table(WeightMap& map, Table& to, int64_t segments, int64_t D);

// The head for masked language modelling that RoBERTa has, and most since.
HeadLayers roberta_masked_lm(Activation activation, float eps);

// Each token's place in its text, 0, 1, …; on op's arena.
std::span<const int32_t> places(Ops& op, const Batch& batch);

// Throws Error{bad_file} unless D is `heads` heads of one width, an even one if they are rotated.
void check_heads(const ConfigMap& map, int64_t D, int64_t heads, bool rotated = false);

}  // namespace quern
