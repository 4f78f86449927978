#include "heads/scores.h"

#include <algorithm>
#include <map>

#include "exact_math.h"
#include "heads/score_activation.h"

namespace quern {
namespace {

Tensor run_layers(Ops& op, const HeadLayers& layers, const HeadWeights::Layers& weights, Tensor x) {
  if (layers.dense) x = op.linear(x, weights.dense, layers.activation);
  if (layers.norm) x = op.layer_norm(x, weights.norm, layers.eps);
  return op.linear(x, weights.out);
}

std::vector<float> scores_of(Ops& op, const ClassifierConfig& config, const Tensor& logits, bool raw) {
  std::vector<float> room;
  const std::span<const float> values = op.read(logits, room);
  std::vector<float> scores(values.begin(), values.end());
  int64_t width = logits.cols;
  if (config.next_token && width == 2) {  // yes, no
    for (int64_t t = 0; t < logits.rows; ++t) scores[t] = scores[2 * t] - scores[2 * t + 1];
    scores.resize(static_cast<size_t>(logits.rows));
    width = 1;
  }
  const ScoreActivation* activation = raw ? nullptr : find_score_activation(config.activation);
  for (int64_t t = 0; activation && activation->apply && t < logits.rows; ++t)
    activation->apply(scores.data() + t * width, width);
  return scores;
}

std::vector<SparseWeight> over_vocabulary(Ops& op, const SparseConfig& config, const HeadWeights::Layers& weights,
                                          const Tensor& states) {
  constexpr int64_t kRows = 32;  // whose logits are held at a time
  const auto weigh = [&](float x) { return config.twice ? log_of_1_plus(log_of_1_plus(x)) : log_of_1_plus(x); };
  const size_t N = static_cast<size_t>(weights.out.N);
  std::vector<float> totals(N, 0.0f), room;
  for (int64_t first = 0; first < states.rows; first += kRows) {
    Ops::Scope scope(op);
    const Tensor logits =
        run_layers(op, config.layers, weights, states.slice(first, std::min(kRows, states.rows - first)));
    const std::span<const float> values = op.read(logits, room);
    for (size_t at = 0; at < values.size(); at += N) {
      for (size_t i = 0; i < N; ++i) {
        const float logit = values[at + i];
        if (!(logit > 0)) continue;
        // The largest logit has the largest weight, so that only a sum needs each logit's.
        totals[i] = config.sum ? totals[i] + weigh(logit) : std::max(totals[i], logit);
      }
    }
  }
  std::vector<SparseWeight> found;
  for (size_t i = 0; i < N; ++i) {
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

void merge_sparse(std::vector<SparseWeight>& all, bool sum) {
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  std::vector<SparseWeight> merged;
  for (const SparseWeight& w : all) {
    if (merged.empty() || merged.back().id != w.id)
      merged.push_back(w);
    else
      merged.back().weight = sum ? merged.back().weight + w.weight : std::max(merged.back().weight, w.weight);
  }
  sort_by_weight(merged);
  all = std::move(merged);
}

std::vector<float> score_texts(Ops& op, const ClassifierConfig& config, const HeadWeights::Layers& weights,
                               const Tensor& states, std::span<const Sequence> texts, bool raw) {
  Ops::Scope scope(op);
  const Pooling pooling = config.layers.mean ? Pooling::mean : config.layers.last ? Pooling::last : Pooling::first;
  const Tensor logits = run_layers(op, config.layers, weights, op.pool(states, texts, pooling));
  if (config.next_token && config.next_token->softcap > 0) op.softcap(logits, config.next_token->softcap);
  return scores_of(op, config, logits, raw);
}

std::vector<float> score_tokens(Ops& op, const ClassifierConfig& config, const HeadWeights::Layers& weights,
                                const Tensor& states, bool raw) {
  Ops::Scope scope(op);
  return scores_of(op, config, run_layers(op, config.layers, weights, states), raw);
}

std::vector<SparseWeight> sparse_weights(Ops& op, const SparseConfig& config, const HeadWeights::Layers& weights,
                                         const Tensor& states, std::span<const int32_t> ids,
                                         const std::unordered_set<int32_t>& unused) {
  Ops::Scope scope(op);
  std::vector<SparseWeight> found;
  if (config.over_vocabulary) {
    found = over_vocabulary(op, config, weights, states);
  } else {
    std::vector<float> room;
    const std::span<const float> values = op.read(op.linear(states, weights.out, Activation::relu), room);
    std::map<int32_t, float> largest;
    for (size_t t = 0; t < ids.size(); ++t)
      if (values[t] > 0 && !unused.count(ids[t])) largest[ids[t]] = std::max(largest[ids[t]], values[t]);
    for (const auto& [id, weight] : largest) found.push_back({id, weight});
  }
  sort_by_weight(found);
  return found;
}

}  // namespace quern
