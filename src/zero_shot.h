// Labels that a model was not trained on (Yin et al., 2019, arXiv 1909.00161): a model of natural language inference
// says how much a text entails a sentence about each. As transformers' zero-shot-classification pipeline computes it.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "engine.h"

namespace quern {

inline constexpr std::string_view usual_hypothesis = "This example is {}.";

struct ZeroShot {
  std::span<const std::string_view> labels;
  std::string_view hypothesis = usual_hypothesis;  // "{}" is where the label goes
  bool multi_label = false;  // each label for itself, yes or no; else they share 1. One label is always for itself.
};

// logits: of all of the model's labels, text by text and label by label; out: a score for each text and label. Throws
// Error{bad_argument} for a model that infers nothing: a label's name must begin with "entail".
void zero_shot_scores(const LoadedModel& model, std::span<const float> logits, size_t n_labels, bool multi_label,
                      std::span<float> out);

// texts.size() rows of a score for each label. Throws Error{bad_argument}: no labels, an empty one, a hypothesis
// without
// {}, no room; and as Session::classify.
void classify_zero_shot(Session& session, std::span<const std::string_view> texts, const ZeroShot& wanted,
                        const TextOptions& options, std::span<float> out, EmbedStats& stats);

}  // namespace quern
