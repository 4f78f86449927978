#include "run/text_work.h"

#include <algorithm>
#include <tuple>

namespace quern {
namespace {

// The texts of a call that are single ones, or pairs, with where their results belong.
struct Alike {
  std::vector<std::string_view> texts, pairs;
  std::vector<size_t> places;
  std::vector<TextInfo> info;
  std::vector<const LinearChanges*> changes;
};

void encode_texts(Session& session, const TextWork& work, const EmbedOptions& options, const Alike& alike,
                  std::span<TextResult> results) {
  EmbedStats stats;
  const Wanted& w = work.wanted;
  if (w.sparse || w.multi_vector || w.states || options.long_texts == LongTexts::chunks) {
    std::vector<Encoded> all = session.encode(alike.texts, options, w, stats);
    const size_t width = w.dense ? static_cast<size_t>(session.width(options)) : 0;
    for (size_t i = 0; i < all.size(); ++i) {
      results[alike.places[i]].encoded = std::move(all[i]);
      results[alike.places[i]].width = width;
    }
    return;
  }
  const size_t width = static_cast<size_t>(session.width(options));
  std::vector<float> all(alike.texts.size() * width);
  session.embed(alike.texts, options, all, stats);
  for (size_t i = 0; i < alike.places.size(); ++i) {
    const auto from = all.begin() + static_cast<ptrdiff_t>(i * width);
    results[alike.places[i]].encoded.dense.assign(from, from + static_cast<ptrdiff_t>(width));
    results[alike.places[i]].width = width;
  }
}

void classify_texts(Session& session, const TextWork& work, const EmbedOptions& options, const Alike& alike,
                    std::span<TextResult> results) {
  EmbedStats stats;
  const size_t width = pair_scores(session.model());
  std::vector<float> all(alike.texts.size() * width);
  session.classify(alike.texts, alike.pairs, options, work.raw, all, stats);
  for (size_t i = 0; i < alike.places.size(); ++i) {
    const auto from = all.begin() + static_cast<ptrdiff_t>(i * width);
    results[alike.places[i]].scores.assign(from, from + static_cast<ptrdiff_t>(width));
  }
}

void label_texts(Session& session, const TextWork& work, const EmbedOptions& options, const Alike& alike,
                 std::span<TextResult> results) {
  EmbedStats stats;
  const std::vector<TokenLabels> all = session.classify_tokens(alike.texts, options, work.raw, stats);
  for (size_t i = 0; i < all.size(); ++i)
    results[alike.places[i]].spans = labelled(all[i], session.model().pipeline.classifier->labels, work.grouped);
}

void run_alike(Session& session, const TextWork& work, Alike& alike, std::span<TextResult> results) {
  if (alike.texts.empty()) return;
  alike.info.resize(alike.texts.size());
  EmbedOptions options = work.options;
  options.info = alike.info;
  options.changes = alike.changes;
  constexpr decltype(&encode_texts) kinds[] = {encode_texts, classify_texts, label_texts};
  kinds[static_cast<size_t>(work.kind)](session, work, options, alike, results);
  for (size_t i = 0; i < alike.places.size(); ++i) results[alike.places[i]].info = alike.info[i];
}

}  // namespace

bool same_work(const TextWork& a, const TextWork& b) {
  const auto all = [](const TextWork& w) {
    const EmbedOptions& o = w.options;
    return std::tie(w.kind, w.wanted.dense, w.wanted.sparse, w.wanted.multi_vector, w.wanted.states, w.raw, w.grouped,
                    o.max_length, o.long_texts, o.overlap, o.prompt, o.prompt_name, o.input_type, o.pooling,
                    o.normalize, o.dimensions, o.pool_factor);
  };
  return all(a) == all(b);
}

std::vector<LabelledToken> labelled(const TokenLabels& text, const std::vector<std::string>& labels, bool grouped) {
  std::vector<LabelledToken> tokens;
  for (size_t t = 0; t < text.tokens.size(); ++t) {
    if (text.tokens[t].special) continue;
    const float* row = text.scores.data() + t * labels.size();
    const float* best = std::max_element(row, row + labels.size());
    tokens.push_back({text.tokens[t].bytes.begin, text.tokens[t].bytes.end, best - row, *best});
  }
  return grouped ? group_tokens(tokens, labels) : tokens;
}

void run_texts(Session& session, const TextWork& work, std::span<const TextInput* const> texts,
               std::span<TextResult> results) {
  Alike kinds[2];  // single ones, pairs
  for (size_t i = 0; i < texts.size(); ++i) {
    Alike& alike = kinds[texts[i]->pair.has_value()];
    alike.texts.push_back(texts[i]->text);
    if (texts[i]->pair) alike.pairs.push_back(*texts[i]->pair);
    alike.places.push_back(i);
    alike.changes.push_back(texts[i]->adapter ? &texts[i]->adapter->changes() : nullptr);
  }
  for (Alike& alike : kinds) run_alike(session, work, alike, results);
}

}  // namespace quern
