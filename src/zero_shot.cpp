#include "zero_shot.h"

#include <algorithm>

#include "ascii.h"
#include "error.h"
#include "heads/score_activation.h"
#include "io/json.h"

namespace quern {
namespace {

constexpr size_t kPairsTogether = 4096;  // whose logits are held

struct Answers {
  size_t yes, no;  // numbers of the model's labels
};

Answers answers_of(const LoadedModel& model) {
  const auto& classifier = model.pipeline.classifier;
  const bool fits = classifier && !classifier->per_token && classifier->labels.size() >= 2;
  std::string found;
  for (size_t i = 0; fits && i < classifier->labels.size(); ++i) {
    const std::string& label = classifier->labels[i];
    if (ascii_lower(label).starts_with("entail")) return {i, i == 0 ? classifier->labels.size() - 1 : 0};
    found += (i ? ", " : "") + printable(label);
  }
  throw Error(Status::bad_argument,
              model.path +
                  ": labels of one's own need a model of natural language inference, one of whose labels begins with "
                  "\"entail\"; found " +
                  (fits ? found : "no labels of texts"));
}

// The hypotheses of all labels.
std::vector<std::string> hypotheses_of(const ZeroShot& wanted) {
  if (wanted.labels.empty()) throw Error(Status::bad_argument, "labels: expected at least one, found none");
  const size_t at = wanted.hypothesis.find("{}");
  if (at == std::string_view::npos)
    throw Error(Status::bad_argument, "hypothesis: expected a sentence with {} where the label goes, found \"" +
                                          printable(std::string(wanted.hypothesis)) + '"');
  std::vector<std::string> all;
  for (const std::string_view label : wanted.labels) {
    if (trimmed(std::string(label)).empty())
      throw Error(Status::bad_argument,
                  "labels: expected a text, found an empty one in place " + std::to_string(all.size() + 1));
    all.push_back(std::string(wanted.hypothesis.substr(0, at)).append(label).append(wanted.hypothesis.substr(at + 2)));
  }
  return all;
}

}  // namespace

void zero_shot_scores(const LoadedModel& model, std::span<const float> logits, size_t n_labels, bool multi_label,
                      std::span<float> out) {
  const Answers answers = answers_of(model);
  const size_t of_model = model.pipeline.classifier->labels.size(), n = logits.size() / of_model;
  const auto softmax = find_score_activation("softmax")->apply;
  for (size_t i = 0; i < n; ++i) {
    const float* pair = logits.data() + i * of_model;
    out[i] = pair[answers.yes];
    if (!multi_label && n_labels > 1) continue;
    float both[] = {pair[answers.no], pair[answers.yes]};
    softmax(both, 2);
    out[i] = both[1];
  }
  if (!multi_label && n_labels > 1)
    for (size_t first = 0; first < n; first += n_labels) softmax(out.data() + first, static_cast<int64_t>(n_labels));
}

void classify_zero_shot(Session& session, std::span<const std::string_view> texts, const ZeroShot& wanted,
                        const TextOptions& options, std::span<float> out, EmbedStats& stats) {
  const LoadedModel& model = session.model();
  answers_of(model);
  const std::vector<std::string> hypotheses = hypotheses_of(wanted);
  const size_t n = hypotheses.size(), of_model = model.pipeline.classifier->labels.size();
  if (texts.size() > out.size() / n)
    throw Error(Status::bad_argument, "out: expected room for " + std::to_string(texts.size()) + " rows of " +
                                          std::to_string(n) + " scores, found " + std::to_string(out.size()));
  const size_t together = std::max<size_t>(1, kPairsTogether / n);
  EmbedStats counted;
  for (size_t first = 0; first < texts.size(); first += together) {
    const size_t count = std::min(together, texts.size() - first);
    std::vector<std::string_view> premises, sentences;
    for (size_t i = 0; i < count; ++i)
      for (const std::string& hypothesis : hypotheses) {
        premises.push_back(texts[first + i]);
        sentences.emplace_back(hypothesis);
      }
    std::vector<float> logits(count * n * of_model);
    TextOptions some = options;
    some.info = {};
    session.classify(premises, sentences, some, true, logits, counted);
    zero_shot_scores(model, logits, n, wanted.multi_label, out.subspan(first * n, count * n));
  }
  counted.texts = texts.size();  // not pairs
  stats += counted;
}

}  // namespace quern
