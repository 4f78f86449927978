// The heads of tasks other than a text's one vector: label scores, sparse weights. Thread-safe: they keep nothing.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "heads/head_weights.h"

namespace quern {

// Label scores of texts from their last hidden states (T, D), texts of one token or more: labels.size() floats for
// each, in order. raw: before the activation.
std::vector<float> score_texts(Ops& op, const ClassifierConfig& config, const HeadWeights::Layers& weights,
                               const Tensor& states, std::span<const Sequence> texts, bool raw);
// The same of each of (L, D) tokens.
std::vector<float> score_tokens(Ops& op, const ClassifierConfig& config, const HeadWeights::Layers& weights,
                                const Tensor& states, bool raw);

struct SparseWeight {
  int32_t id;
  float weight;  // above 0
};
// By falling weight, then id.
void sort_by_weight(std::vector<SparseWeight>& weights);
// So sorted. ids: the text's tokens; unused: ids that never get a weight of their own.
std::vector<SparseWeight> sparse_weights(Ops& op, const SparseConfig& config, const HeadWeights::Layers& weights,
                                         const Tensor& states, std::span<const int32_t> ids,
                                         const std::unordered_set<int32_t>& unused);
// Weights of a text's pieces → the text's: of each token the largest, or all together where the head sums.
void merge_sparse(std::vector<SparseWeight>& all, bool sum);

}  // namespace quern
