#include "models/blocks.h"

#include <cmath>

#include "error.h"
#include "exact_math.h"

namespace quern {

Tensor attend(Ops& op, const Batch& batch, const Tensor& qkv, const AttentionOptions& options, const Rotary* rotary) {
  const int64_t inner = qkv.cols / 3;
  const Tensor q = qkv.columns(0, inner), k = qkv.columns(inner, inner), v = qkv.columns(2 * inner, inner);
  if (rotary) {
    op.rotate(q, *rotary, options.heads);
    op.rotate(k, *rotary, options.heads);
  }
  return op.attention(q, k, v, batch.texts, options);
}

AttentionOptions scaled_attention(int64_t D, int64_t heads) {
  return {.heads = static_cast<int>(heads), .scale = 1.0f / std::sqrt(static_cast<float>(D / heads))};
}

Tensor run(Ops& op, const Batch& batch, const PostNormLayer& l, const Tensor& x, const AttentionOptions& options,
           Activation activation, float eps, const Rotary* rotary) {
  const Tensor a = attend(op, batch, op.linear(x, l.qkv), options, rotary);
  const Tensor y = op.layer_norm(op.linear(a, l.out, Activation::none, &x), l.attn_norm, eps);
  const int64_t F = l.down.K;
  const bool gated = l.up.N == 2 * F;
  Tensor h = op.linear(y, l.up, gated ? Activation::none : activation);
  if (gated) h = op.gate(h.columns(F, F), h.columns(0, F), activation);
  return op.layer_norm(op.linear(h, l.down, Activation::none, &y), l.ffn_norm, eps);
}

void segment_table(WeightMap& map, Table& to, int64_t segments, int64_t D) {
  const int64_t rows = segments == kAsInFile ? 0 : segments;
  if (segments > 0) map.table(to, "token_types", "embeddings.token_type_embeddings", rows, D, true);
}

HeadLayers roberta_masked_lm(Activation activation, float eps) {
  return {.dense = true,
          .norm = true,
          .activation = activation,
          .eps = eps,
          .hf = {"lm_head.dense", "lm_head.layer_norm|lm_head.norm", "lm_head.decoder|embeddings.word_embeddings",
                 "lm_head.decoder.bias|lm_head.bias"}};
}

void PadPositions::config(ConfigMap& map, const char* hf, int64_t& context) {
  const bool written = !map.is_hf() && !map.is_gguf();
  if (written && token < 0) return;
  if (map.is_hf() && !hf)
    token = 1;
  else
    map.integer("position.padding_token_id", hf, token, map.is_hf() ? 0 : -1, 1 << 20, map.is_hf() ? 1 : -1);
  if (map.is_hf() && context > skipped()) context -= skipped();
}

std::vector<int32_t> positions_of(const Batch& batch, int64_t unplaced) {
  std::vector<int32_t> out(batch.ids.size(), -1);
  for (const Sequence& text : batch.texts) {
    int32_t next = 0;
    for (int64_t i = text.first; i < text.first + text.length; ++i)
      if (const auto t = static_cast<size_t>(i); batch.ids[t] != unplaced) out[t] = next++;
  }
  return out;
}

std::vector<float> rotary_frequencies(int64_t n, float base, float factor) {
  const double log_base = logarithm(static_cast<double>(base));
  std::vector<float> out(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(2 * n);
    out[static_cast<size_t>(i)] =
        1.0f / static_cast<float>(exponential(static_cast<double>(exponent) * log_base)) / factor;
  }
  return out;
}

Rotary rotary_of(Ops& op, const Batch& batch, int64_t d, float base, float factor) {
  const std::vector<float> frequencies = rotary_frequencies(d / 2, base, factor);
  return op.rotary(batch.texts, [&](const Sequence&) { return std::span<const float>(frequencies); });
}

void check_heads(const ConfigMap& map, int64_t D, int64_t heads, bool rotated) {
  if (D % heads != 0 || (rotated && D / heads % 2 != 0))
    throw Error(Status::bad_file, map.source() + ": the width " + std::to_string(D) + " is not a multiple of the " +
                                      std::to_string(heads) + " attention heads" +
                                      (rotated ? " whose width is even" : ""));
}

}  // namespace quern
