// Texts, pairs and tokens → scores of labels.
#include <algorithm>

#include "chat/pair_template.h"
#include "engine_jobs.h"
#include "error.h"
#include "tokenizers/utf8.h"

namespace quern {
namespace {

constexpr const char* kPairTemplate = "template of pairs";  // its name for messages

struct ClassifyJob : Session::Job {
  ClassifyJob(const LoadedModel& model, std::span<const std::string_view> views,
              std::span<const std::string_view> pairs, const TextOptions& options, bool raw)
      : Job(Limits(model, options, !pairs.empty())),
        model(model),
        views(views),
        pairs(pairs),
        texts(model, views, options),
        raw(raw) {
    if (options.long_texts > LongTexts::truncate)
      throw Error(Status::bad_argument, "long texts: a classifier cuts them or refuses them, pieces have no label");
    if (pairs.empty() && config().next_token)
      throw Error(Status::bad_argument, model.path + ": this model scores pairs of texts (rerank), not single ones");
    if (const PairTemplate& t = config().pairs; !pairs.empty() && !t.source.empty())
      chat = &model.templates.get(kPairTemplate, t.source, t.specials).chat;
    info = options.info;
    changes = options.changes;
  }
  void tokens(size_t index, Encoding& out) const override {
    const EncodeOptions options{.add_special = true,
                                .max_length = limits.max_length,
                                .truncate_left = model.tokenizer->cuts_left(),
                                .want_offsets = want_offsets};
    if (pairs.empty()) return texts.encode(index, options, out);
    if (chat) return encode_by_template(index, out);
    std::string buffer;
    model.tokenizer->encode_pair(texts.get(index, buffer), pairs[index], options, out);
  }
  // A template takes valid text alone; what the tokenizer would have replaced is replaced here.
  void encode_by_template(size_t index, Encoding& out) const {
    RepairedUtf8 query, document;
    query.assign(views[index]);
    document.assign(pairs[index]);
    const auto parts = render_pair(*chat, config().pairs, texts.prompt(), query.text(), document.text());
    encode_rendered_pair(*model.tokenizer, parts, limits.max_length, out);
    out.n_invalid = query.n_replaced() + document.n_replaced();
  }
  // Of a decoder, whose tokens see what is before them alone.
  bool takes_last() const override {
    return !config().per_token && config().layers.last && model.model->language_head().kv.layers > 0;
  }
  const ClassifierConfig& config() const { return *model.pipeline.classifier; }

  const LoadedModel& model;
  const std::span<const std::string_view> views, pairs;
  const PromptedTexts texts;
  const bool raw;
  const ChatTemplate* chat = nullptr;  // that puts pairs together; null: the tokenizer does
};

struct LabelTexts final : ClassifyJob {
  using ClassifyJob::ClassifyJob;
  float* row(size_t index) const { return out.data() + index * config().labels.size(); }
  void take(Ops& op, const PackOutput& pack) const override {
    const std::vector<float> scores = score_texts(op, config(), model.heads->classifier, pack.states, pack.texts, raw);
    const size_t n = config().labels.size();
    for (size_t i = 0; i < pack.size(); ++i) {
      require_finite(model, std::span(scores).subspan(i * n, n), limits.first_text + pack.indices[i]);
      std::copy_n(scores.data() + i * n, n, row(pack.indices[i]));
    }
  }
  void take_empty(size_t index) const override { std::fill_n(row(index), config().labels.size(), 0.0f); }

  std::span<float> out;
};

struct LabelTokens final : ClassifyJob {
  using ClassifyJob::ClassifyJob;
  void take(Ops& op, const PackOutput& pack) const override {
    for (size_t i = 0; i < pack.size(); ++i) {
      TokenLabels& to = made[pack.indices[i]];
      to.tokens = tokens_of(pack, i);
      to.scores = score_tokens(op, config(), model.heads->classifier, pack.states_of(i), raw);
      require_finite(model, to.scores, limits.first_text + pack.indices[i]);
    }
  }
  std::vector<TokenScores> tokens_of(const PackOutput& pack, size_t text) const {
    const uint32_t shift = static_cast<uint32_t>(texts.prompt().size());
    const auto ids = pack.part(pack.ids, text);
    const auto offsets = pack.part(pack.offsets, text);
    const auto special = pack.part(pack.special_mask, text);
    std::vector<TokenScores> found;
    for (size_t i = 0; i < ids.size(); ++i) {
      Span bytes = offsets[i];
      bytes.begin -= std::min(bytes.begin, shift);
      bytes.end -= std::min(bytes.end, shift);
      found.push_back({ids[i], bytes, special[i] != 0});
    }
    return found;
  }

  mutable std::vector<TokenLabels> made;  // each element written by one thread
};

}  // namespace

size_t pair_scores(const LoadedModel& model) {
  const auto& classifier = model.pipeline.classifier;
  if (classifier) return classifier->per_token ? 0 : classifier->labels.size();
  return model.pipeline.multi_vector ? 1 : 0;
}

void Session::classify(std::span<const std::string_view> texts, std::span<const std::string_view> pairs,
                       const TextOptions& options, bool raw, std::span<float> out, EmbedStats& stats) {
  const auto& classifier = model_->pipeline.classifier;
  if (!pairs.empty() && pairs.size() != texts.size())
    throw Error(Status::bad_argument, "pairs: expected as many as there are texts, " + std::to_string(texts.size()) +
                                          ", found " + std::to_string(pairs.size()));
  if (!classifier && !pairs.empty() && model_->pipeline.multi_vector)
    return compare_tokens(texts, pairs, options, out, stats);
  if (!classifier || classifier->per_token) refuse_task(*model_, "label scores");
  if (texts.size() > out.size() / classifier->labels.size())
    throw Error(Status::bad_argument, "out: expected room for " + std::to_string(texts.size()) + " rows of " +
                                          std::to_string(classifier->labels.size()) + " scores, found " +
                                          std::to_string(out.size()));
  LabelTexts job(*model_, texts, pairs, options, raw);
  job.out = out;
  run(job, texts.size(), stats);
}

void Session::rerank(std::string_view query, std::span<const std::string_view> texts, const TextOptions& options,
                     bool raw, std::span<float> out, EmbedStats& stats) {
  if (pair_scores(*model_) != 1) refuse_task(*model_, "scores of pairs");
  if (texts.empty()) return;
  const std::vector<std::string_view> queries(texts.size(), query);
  classify(queries, texts, options, raw, out, stats);
}

std::vector<TokenLabels> Session::classify_tokens(std::span<const std::string_view> texts, const TextOptions& options,
                                                  bool raw, EmbedStats& stats) {
  const auto& classifier = model_->pipeline.classifier;
  if (!classifier || !classifier->per_token) refuse_task(*model_, "label scores of tokens");
  LabelTokens job(*model_, texts, {}, options, raw);
  job.want_offsets = true;
  job.made.resize(texts.size());
  run(job, texts.size(), stats);
  return std::move(job.made);
}

}  // namespace quern
