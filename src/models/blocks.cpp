#include "models/blocks.h"

#include <cmath>

#include "error.h"

namespace quern {

Tensor attend(Ops& op, const Batch& batch, const Tensor& qkv, const AttentionOptions& options, const Tensor* angles) {
  const int64_t inner = qkv.cols / 3;
  const Tensor q = qkv.columns(0, inner), k = qkv.columns(inner, inner), v = qkv.columns(2 * inner, inner);
  if (angles) {
    op.rotate(q, *angles, batch.texts, options.heads);
    op.rotate(k, *angles, batch.texts, options.heads);
  }
  return op.attention(q, k, v, batch.texts, options);
}

AttentionOptions scaled_attention(int64_t D, int64_t heads) {
  return {.heads = static_cast<int>(heads), .scale = 1.0f / std::sqrt(static_cast<float>(D / heads))};
}

std::span<const int32_t> places(Ops& op, const Batch& batch) {
  int32_t* out = op.arena().take<int32_t>(static_cast<int64_t>(batch.ids.size()));
  for (const Sequence& text : batch.texts)
    for (int64_t i = 0; i < text.length; ++i) out[text.first + i] = static_cast<int32_t>(i);
  return {out, batch.ids.size()};
}

void check_heads(const ConfigMap& map, int64_t D, int64_t heads, bool rotated) {
  if (D % heads != 0 || (rotated && D / heads % 2 != 0))
    throw Error(Status::bad_file, map.source() + ": the width " + std::to_string(D) + " is not a multiple of the " +
                                      std::to_string(heads) + " attention heads" +
                                      (rotated ? " whose width is even" : ""));
}

}  // namespace quern
