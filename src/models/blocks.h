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

// Each token's place in its text, 0, 1, …; on op's arena.
std::span<const int32_t> places(Ops& op, const Batch& batch);

// Throws Error{bad_file} unless D is `heads` heads of one width, an even one if they are rotated.
void check_heads(const ConfigMap& map, int64_t D, int64_t heads, bool rotated = false);

}  // namespace quern
