// include/quern.h over the library: what sessions do.
#include <algorithm>

#include "c_api.h"
#include "heads/spans.h"

using quern::Error;
using quern::Status;
using quern::c_api::guard;
using quern::c_api::merged;
using quern::c_api::require;

struct quern_encoded {
  std::vector<quern::Encoded> texts;
  size_t width = 0, multi_width = 0, states_width = 0;
  std::vector<std::vector<int32_t>> ids;  // sparse weights, as the caller sees them
  std::vector<std::vector<float>> weights;

  void split() {
    for (const quern::Encoded& text : texts) {
      ids.emplace_back();
      weights.emplace_back();
      for (const quern::SparseWeight& w : text.sparse) {
        ids.back().push_back(w.id);
        weights.back().push_back(w.weight);
      }
    }
  }
};
struct quern_spans {
  std::vector<std::vector<quern_span>> texts;
};

namespace {

quern::LongTexts long_texts(int value) {
  require(value >= QUERN_LONG_ERROR && value <= QUERN_LONG_CHUNKS, "long_texts must be one of quern_long_texts");
  return static_cast<quern::LongTexts>(value);
}

quern::EmbedOptions embed_options(const quern_embed_options& o) {
  require(o.max_length >= 0, "max_length must not be negative");
  require(o.dimensions >= 0, "dimensions must not be negative");
  require(o.overlap >= 0, "overlap must not be negative");
  quern::EmbedOptions e;
  if (o.pooling) e.pooling = o.pooling;
  if (o.normalize >= 0) e.normalize = o.normalize != 0;
  e.dimensions = o.dimensions;
  if (o.prompt) e.prompt = o.prompt;
  if (o.prompt_name) e.prompt_name = o.prompt_name;
  if (o.input_type) e.input_type = o.input_type;
  e.max_length = static_cast<size_t>(o.max_length);
  e.long_texts = long_texts(o.long_texts);
  e.overlap = static_cast<size_t>(o.overlap);
  e.first_text = static_cast<size_t>(o.first_text);
  return e;
}

quern::TextOptions classify_options(const quern_classify_options& o) {
  require(o.max_length >= 0, "max_length must not be negative");
  quern::TextOptions t;
  t.max_length = static_cast<size_t>(o.max_length);
  t.long_texts = long_texts(o.long_texts);
  t.first_text = static_cast<size_t>(o.first_text);
  return t;
}

// A caller's entries for n texts, or none.
class InfoOut {
 public:
  InfoOut(quern_text_info* to, size_t n) : to_(to), all_(to ? n : 0) {}
  std::span<quern::TextInfo> all() { return all_; }
  void give() const {
    for (size_t i = 0; i < all_.size(); ++i) to_[i] = {all_[i].tokens, all_[i].dropped, all_[i].repaired ? 1 : 0};
  }

 private:
  quern_text_info* to_;
  std::vector<quern::TextInfo> all_;
};

void add(const quern::EmbedStats& s, quern_embed_stats* stats) {
  if (!stats) return;
  stats->texts += s.texts;
  stats->tokens += s.tokens;
  stats->truncated += s.truncated;
  stats->repaired += s.repaired;
  stats->chunked += s.chunked;
}

// n lists of a caller's as views; `room`, the capacity of what they become, bounds n before anything is allocated.
template <class View, class T>
std::vector<View> views_of(const char* function, const T* const* lists, const size_t* lengths, size_t n, size_t room) {
  const auto refuse = [function](const char* why) { throw Error(Status::bad_argument, std::string(function) + why); };
  if (n > 0 && !(lists && lengths)) refuse(": texts and lengths must not be NULL");
  if (n > room) refuse(": there is no room for n rows");
  std::vector<View> views(n);
  for (size_t i = 0; i < n; ++i) {
    if (!lists[i] && lengths[i] > 0) refuse(": a text is NULL");
    views[i] = View(lists[i], lengths[i]);
  }
  return views;
}
using Texts = std::vector<std::string_view>;

constexpr size_t kMostTexts = size_t{1} << 28;  // of a call whose results the library allocates

// Each token's most probable label, special tokens left out.
std::vector<quern::LabelledToken> best_labels(const quern::TokenLabels& text, size_t n_labels) {
  std::vector<quern::LabelledToken> tokens;
  for (size_t t = 0; t < text.tokens.size(); ++t) {
    if (text.tokens[t].special) continue;
    const float* row = text.scores.data() + t * n_labels;
    const float* best = std::max_element(row, row + n_labels);
    tokens.push_back({text.tokens[t].bytes.begin, text.tokens[t].bytes.end, best - row, *best});
  }
  return tokens;
}

}  // namespace

quern_status quern_session_new(const quern_model* model, int n_threads, quern_session** session) {
  return guard([&] {
    require(model && session, "quern_session_new: model and session must not be NULL");
    *session = nullptr;
    require(n_threads >= 0 && n_threads <= 1024, "n_threads: expected 0 (all that are usable) to 1024");
    *session = new quern_session{std::make_unique<quern::Session>(model->rep, n_threads)};
  });
}

void quern_session_free(quern_session* session) {
  delete session;
}
int quern_session_threads(const quern_session* session) {
  return session->rep->threads();
}

quern_embed_options quern_embed_options_default(void) {
  return {.size = sizeof(quern_embed_options),
          .pooling = nullptr,
          .normalize = -1,
          .dimensions = 0,
          .prompt = nullptr,
          .max_length = 0,
          .long_texts = QUERN_LONG_TRUNCATE,
          .first_text = 1,
          .prompt_name = nullptr,
          .input_type = nullptr,
          .overlap = 0,
          .info = nullptr};
}

quern_status quern_embed_width(quern_session* session, const quern_embed_options* options, int64_t* width) {
  return guard([&] {
    require(session && width, "quern_embed_width: session and width must not be NULL");
    *width = session->rep->width(embed_options(merged(options, quern_embed_options_default())));
  });
}

quern_status quern_embed(quern_session* session, const char* const* texts, const size_t* lengths, size_t n,
                         const quern_embed_options* options, float* out, size_t out_len, quern_embed_stats* stats) {
  return guard([&] {
    require(session, "quern_embed: session must not be NULL");
    const auto views = views_of<std::string_view>("quern_embed", texts, lengths, n, out ? out_len : 0);
    const quern_embed_options o = merged(options, quern_embed_options_default());
    InfoOut info(o.info, n);
    quern::EmbedOptions e = embed_options(o);
    e.info = info.all();
    quern::EmbedStats s;
    session->rep->embed(views, e, {out, out_len}, s);
    info.give();
    add(s, stats);
  });
}

quern_status quern_embed_ids(quern_session* session, const int32_t* const* ids, const size_t* lengths, size_t n,
                             const quern_embed_options* options, float* out, size_t out_len, quern_embed_stats* stats) {
  return guard([&] {
    require(session, "quern_embed_ids: session must not be NULL");
    const auto views = views_of<std::span<const int32_t>>("quern_embed_ids", ids, lengths, n, out ? out_len : 0);
    const quern_embed_options o = merged(options, quern_embed_options_default());
    InfoOut info(o.info, n);
    quern::EmbedOptions e = embed_options(o);
    e.info = info.all();
    quern::EmbedStats s;
    session->rep->embed_ids(views, e, {out, out_len}, s);
    info.give();
    add(s, stats);
  });
}

quern_status quern_encode(quern_session* session, const char* const* texts, const size_t* lengths, size_t n,
                          const quern_embed_options* options, unsigned outputs, quern_encoded** encoded,
                          quern_embed_stats* stats) {
  return guard([&] {
    require(session && encoded, "quern_encode: session and encoded must not be NULL");
    *encoded = nullptr;
    constexpr unsigned known = QUERN_DENSE | QUERN_SPARSE | QUERN_MULTI_VECTOR | QUERN_STATES;
    require(outputs != 0 && (outputs & ~known) == 0,
            "outputs: expected QUERN_DENSE, QUERN_SPARSE, QUERN_MULTI_VECTOR, QUERN_STATES");
    const Texts views = views_of<std::string_view>("quern_encode", texts, lengths, n, kMostTexts);
    const quern_embed_options given = merged(options, quern_embed_options_default());
    InfoOut info(given.info, n);
    quern::EmbedOptions o = embed_options(given);
    o.info = info.all();
    auto result = std::make_unique<quern_encoded>();
    quern::EmbedStats s;
    result->texts = session->rep->encode(views, o,
                                         {(outputs & QUERN_DENSE) != 0, (outputs & QUERN_SPARSE) != 0,
                                          (outputs & QUERN_MULTI_VECTOR) != 0, (outputs & QUERN_STATES) != 0},
                                         s);
    result->states_width = static_cast<size_t>(session->rep->model().model->width());
    if (outputs & QUERN_DENSE) result->width = static_cast<size_t>(session->rep->width(o));
    if (outputs & QUERN_MULTI_VECTOR)
      result->multi_width = static_cast<size_t>(session->rep->model().pipeline.multi_vector->width);
    result->split();
    info.give();
    add(s, stats);
    *encoded = result.release();
  });
}

void quern_encoded_free(quern_encoded* encoded) {
  delete encoded;
}
const float* quern_encoded_dense(const quern_encoded* encoded, size_t i, size_t* rows, size_t* width) {
  const std::vector<float>& all = encoded->texts[i].dense;
  *width = encoded->width;
  *rows = encoded->width > 0 ? all.size() / encoded->width : 0;
  return all.data();
}
size_t quern_encoded_sparse(const quern_encoded* encoded, size_t i, const int32_t** ids, const float** weights) {
  *ids = encoded->ids[i].data();
  *weights = encoded->weights[i].data();
  return encoded->ids[i].size();
}
const float* quern_encoded_multi_vector(const quern_encoded* encoded, size_t i, size_t* rows, size_t* width) {
  const std::vector<float>& all = encoded->texts[i].multi_vector;
  *width = encoded->multi_width;
  *rows = encoded->multi_width > 0 ? all.size() / encoded->multi_width : 0;
  return all.data();
}
const float* quern_encoded_states(const quern_encoded* encoded, size_t i, size_t* rows, size_t* width) {
  const std::vector<float>& all = encoded->texts[i].states;
  *width = encoded->states_width;
  *rows = all.size() / encoded->states_width;
  return all.data();
}

quern_classify_options quern_classify_options_default(void) {
  return {.size = sizeof(quern_classify_options),
          .raw = 0,
          .max_length = 0,
          .long_texts = QUERN_LONG_TRUNCATE,
          .first_text = 1,
          .info = nullptr};
}

quern_status quern_classify(quern_session* session, const char* const* texts, const size_t* lengths,
                            const char* const* pairs, const size_t* pair_lengths, size_t n,
                            const quern_classify_options* options, float* scores, size_t scores_len,
                            quern_embed_stats* stats) {
  return guard([&] {
    require(session, "quern_classify: session must not be NULL");
    const quern_classify_options o = merged(options, quern_classify_options_default());
    const Texts first = views_of<std::string_view>("quern_classify", texts, lengths, n, scores ? scores_len : 0);
    Texts second;
    if (pairs) second = views_of<std::string_view>("quern_classify", pairs, pair_lengths, n, scores_len);
    quern::EmbedStats s;
    InfoOut info(o.info, n);
    quern::TextOptions t = classify_options(o);
    t.info = info.all();
    session->rep->classify(first, second, t, o.raw != 0, {scores, scores_len}, s);
    info.give();
    add(s, stats);
  });
}

quern_status quern_rerank(quern_session* session, const char* query, size_t query_length, const char* const* texts,
                          const size_t* lengths, size_t n, const quern_classify_options* options, float* scores,
                          quern_embed_stats* stats) {
  return guard([&] {
    require(session && (query || query_length == 0) && (scores || n == 0),
            "quern_rerank: session, query and scores must not be NULL");
    const quern_classify_options o = merged(options, quern_classify_options_default());
    const Texts second = views_of<std::string_view>("quern_rerank", texts, lengths, n, kMostTexts);
    quern::EmbedStats s;
    InfoOut info(o.info, n);
    quern::TextOptions t = classify_options(o);
    t.info = info.all();
    session->rep->rerank({query, query_length}, second, t, o.raw != 0, {scores, n}, s);
    info.give();
    add(s, stats);
  });
}

quern_status quern_classify_tokens(quern_session* session, const char* const* texts, const size_t* lengths, size_t n,
                                   const quern_classify_options* options, int grouped, quern_spans** spans,
                                   quern_embed_stats* stats) {
  return guard([&] {
    require(session && spans, "quern_classify_tokens: session and spans must not be NULL");
    *spans = nullptr;
    const quern_classify_options o = merged(options, quern_classify_options_default());
    const Texts views = views_of<std::string_view>("quern_classify_tokens", texts, lengths, n, kMostTexts);
    quern::EmbedStats s;
    InfoOut info(o.info, n);
    quern::TextOptions t = classify_options(o);
    t.info = info.all();
    const auto found = session->rep->classify_tokens(views, t, o.raw != 0, s);
    info.give();
    const std::vector<std::string>& labels = session->rep->model().pipeline.classifier->labels;
    auto result = std::make_unique<quern_spans>();
    for (const quern::TokenLabels& text : found) {
      std::vector<quern::LabelledToken> tokens = best_labels(text, labels.size());
      if (grouped) tokens = quern::group_tokens(tokens, labels);
      std::vector<quern_span>& to = result->texts.emplace_back();
      for (const quern::LabelledToken& token : tokens) to.push_back({token.begin, token.end, token.label, token.score});
    }
    add(s, stats);
    *spans = result.release();
  });
}

void quern_spans_free(quern_spans* spans) {
  delete spans;
}
const quern_span* quern_spans_of(const quern_spans* spans, size_t i, size_t* count) {
  *count = spans->texts[i].size();
  return spans->texts[i].data();
}
