#include "heads/scores.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "heads/pooling.h"

namespace quern {
namespace {

Tensor run_layers(Ops& op, const HeadLayers& layers, const HeadWeights::Layers& weights, Tensor x) {
  if (layers.dense) x = op.linear(x, weights.dense, layers.activation);
  if (layers.norm) x = op.layer_norm(x, weights.norm, layers.eps);
  return op.linear(x, weights.out);
}

void activate(const std::string& activation, float* x, int64_t n) {
  if (activation == "sigmoid")
    for (int64_t i = 0; i < n; ++i) x[i] = 1.0f / (1.0f + std::exp(-x[i]));
  if (activation != "softmax") return;
  const float top = *std::max_element(x, x + n);
  float total = 0;
  for (int64_t i = 0; i < n; ++i) total += x[i] = std::exp(x[i] - top);
  for (int64_t i = 0; i < n; ++i) x[i] /= total;
}

void copy_scores(const ClassifierConfig& config, const Tensor& logits, bool raw, float* out) {
  for (int64_t t = 0; t < logits.rows; ++t, out += logits.cols) {
    std::memcpy(out, logits.row(t), static_cast<size_t>(logits.cols) * sizeof(float));
    if (!raw) activate(config.activation, out, logits.cols);
  }
}

std::vector<SparseWeight> over_vocabulary(Ops& op, const SparseConfig& config, const HeadWeights::Layers& weights,
                                          const Tensor& hidden) {
  constexpr int64_t kRows = 32;  // whose logits are held at a time
  const auto weigh = [&](float x) { return config.twice ? std::log1p(std::log1p(x)) : std::log1p(x); };
  std::vector<float> totals(static_cast<size_t>(weights.out.N), 0.0f);
  for (int64_t first = 0; first < hidden.rows; first += kRows) {
    Arena::Scope scope(op.arena());
    const Tensor rows{hidden.row(first), std::min(kRows, hidden.rows - first), hidden.cols, hidden.stride};
    const Tensor logits = run_layers(op, config.layers, weights, rows);
    for (int64_t t = 0; t < logits.rows; ++t) {
      const float* row = logits.row(t);
      for (size_t i = 0; i < totals.size(); ++i) {
        if (!(row[i] > 0)) continue;
        // The largest logit has the largest weight, so that only a sum needs each logit's.
        totals[i] = config.sum ? totals[i] + weigh(row[i]) : std::max(totals[i], row[i]);
      }
    }
  }
  std::vector<SparseWeight> found;
  for (size_t i = 0; i < totals.size(); ++i) {
    if (totals[i] > 0) found.push_back({static_cast<int32_t>(i), config.sum ? totals[i] : weigh(totals[i])});
  }
  return found;
}

}  // namespace

void sort_by_weight(std::vector<SparseWeight>& weights) {
  std::sort(weights.begin(), weights.end(), [](const SparseWeight& a, const SparseWeight& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.id < b.id;
  });
}

void score_text(Ops& op, const ClassifierConfig& config, const HeadWeights::Layers& weights, const Tensor& hidden,
                bool raw, float* out) {
  Arena::Scope scope(op.arena());
  Tensor row{hidden.data, 1, hidden.cols, hidden.stride};
  if (config.layers.mean) {
    row = op.tensor(1, hidden.cols);
    find_pool("mean", "")(op.kernels(), hidden, row.data);
  }
  copy_scores(config, run_layers(op, config.layers, weights, row), raw, out);
}

void score_tokens(Ops& op, const ClassifierConfig& config, const HeadWeights::Layers& weights, const Tensor& hidden,
                  bool raw, float* out) {
  Arena::Scope scope(op.arena());
  copy_scores(config, run_layers(op, config.layers, weights, hidden), raw, out);
}

std::vector<SparseWeight> sparse_weights(Ops& op, const SparseConfig& config, const HeadWeights::Layers& weights,
                                         const Tensor& hidden, const int32_t* ids,
                                         const std::unordered_set<int32_t>& unused) {
  Arena::Scope scope(op.arena());
  std::vector<SparseWeight> found;
  if (config.over_vocabulary) {
    found = over_vocabulary(op, config, weights, hidden);
  } else {
    const Tensor values = op.linear(hidden, weights.out, Activation::relu);
    std::map<int32_t, float> largest;
    for (int64_t t = 0; t < hidden.rows; ++t)
      if (*values.row(t) > 0 && !unused.count(ids[t])) largest[ids[t]] = std::max(largest[ids[t]], *values.row(t));
    for (const auto& [id, weight] : largest) found.push_back({id, weight});
  }
  sort_by_weight(found);
  return found;
}

std::vector<float> token_vectors(Ops& op, const Linear& weights, const Tensor& hidden) {
  std::vector<float> out;
  if (hidden.rows < 2) return out;
  Arena::Scope scope(op.arena());
  const Tensor y = op.linear({hidden.row(1), hidden.rows - 1, hidden.cols, hidden.stride}, weights);
  for (int64_t t = 0; t < y.rows; ++t) {
    normalize(op.kernels(), y.row(t), y.cols);
    out.insert(out.end(), y.row(t), y.row(t) + y.cols);
  }
  return out;
}

}  // namespace quern
