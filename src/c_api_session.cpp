// include/quern.h over the library: what sessions do.
#include <algorithm>

#include "c_api_adapter.h"
#include "c_api_results.h"

using quern::Error;
using quern::Status;
using quern::c_api::guard;
using quern::c_api::merged;
using quern::c_api::require;

namespace {

quern::LongTexts long_texts(int value) {
  require(value >= QUERN_LONG_ERROR && value <= QUERN_LONG_CHUNKS, "long_texts must be one of quern_long_texts");
  return static_cast<quern::LongTexts>(value);
}

// A caller's entries for n texts, or none.
class InfoOut {
 public:
  InfoOut(quern_text_info* to, size_t n) : to_(to), all_(to ? n : 0) {}
  std::span<quern::TextInfo> all() { return all_; }
  void give() const {
    for (size_t i = 0; i < all_.size(); ++i) to_[i] = quern::c_api::info_of(all_[i]);
  }

 private:
  quern_text_info* to_;
  std::vector<quern::TextInfo> all_;
};

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

}  // namespace

namespace quern::c_api {

EmbedOptions embed_options(const quern_embed_options& o) {
  require(o.max_length >= 0, "max_length must not be negative");
  require(o.dimensions >= 0, "dimensions must not be negative");
  require(o.overlap >= 0, "overlap must not be negative");
  EmbedOptions e;
  if (o.pooling) e.pooling = o.pooling;
  if (o.normalize >= 0) e.normalize = o.normalize != 0;
  e.dimensions = o.dimensions;
  if (o.prompt) e.prompt = o.prompt;
  if (o.prompt_name) e.prompt_name = o.prompt_name;
  if (o.input_type) e.input_type = o.input_type;
  e.max_length = static_cast<size_t>(o.max_length);
  e.long_texts = long_texts(o.long_texts);
  e.overlap = static_cast<size_t>(o.overlap);
  e.pool_factor = o.pool_factor;
  e.first_text = static_cast<size_t>(o.first_text);
  return e;
}

EmbedOptions classify_options(const quern_classify_options& o) {
  require(o.max_length >= 0, "max_length must not be negative");
  EmbedOptions t;
  t.max_length = static_cast<size_t>(o.max_length);
  t.long_texts = long_texts(o.long_texts);
  t.first_text = static_cast<size_t>(o.first_text);
  if (o.prompt) t.prompt = o.prompt;
  if (o.prompt_name) t.prompt_name = o.prompt_name;
  return t;
}

void add_stats(const EmbedStats& s, quern_embed_stats* stats) {
  if (!stats) return;
  stats->texts += s.texts;
  stats->tokens += s.tokens;
  stats->truncated += s.truncated;
  stats->repaired += s.repaired;
  stats->chunked += s.chunked;
}

quern_text_info info_of(const TextInfo& info) {
  return {info.tokens, info.dropped, info.repaired ? 1 : 0};
}

size_t n_labels(const LoadedModel& model) {
  return model.pipeline.classifier ? model.pipeline.classifier->labels.size() : 0;
}

Wanted wanted_of(unsigned outputs) {
  constexpr unsigned known = QUERN_DENSE | QUERN_SPARSE | QUERN_MULTI_VECTOR | QUERN_STATES;
  require(outputs != 0 && (outputs & ~known) == 0,
          "outputs: expected QUERN_DENSE, QUERN_SPARSE, QUERN_MULTI_VECTOR, QUERN_STATES");
  return {(outputs & QUERN_DENSE) != 0, (outputs & QUERN_SPARSE) != 0, (outputs & QUERN_MULTI_VECTOR) != 0,
          (outputs & QUERN_STATES) != 0};
}

std::vector<std::string_view> texts_of(const char* call, const char* const* texts, const size_t* lengths, size_t n,
                                       size_t most) {
  return views_of<std::string_view>(call, texts, lengths, n, most);
}

std::unique_ptr<quern_encoded> encoded_of(const LoadedModel& model, std::vector<Encoded> texts, size_t width) {
  auto made = std::make_unique<quern_encoded>();
  made->texts = std::move(texts);
  made->width = width;
  made->states_width = static_cast<size_t>(model.model->width());
  if (model.pipeline.multi_vector) made->multi_width = static_cast<size_t>(model.pipeline.multi_vector->width);
  for (const Encoded& text : made->texts) {
    made->ids.emplace_back();
    made->weights.emplace_back();
    for (const SparseWeight& w : text.sparse) {
      made->ids.back().push_back(w.id);
      made->weights.back().push_back(w.weight);
    }
  }
  return made;
}

void add_spans(quern_spans& spans, const std::vector<LabelledToken>& text) {
  std::vector<quern_span>& to = spans.texts.emplace_back();
  for (const LabelledToken& token : text) to.push_back({token.begin, token.end, token.label, token.score});
}

}  // namespace quern::c_api

using quern::c_api::add_stats;
using quern::c_api::CallChanges;
using quern::c_api::classify_options;
using quern::c_api::embed_options;
using quern::c_api::kMostTexts;
using quern::c_api::texts_of;

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
  return session ? session->rep->threads() : 0;
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
          .info = nullptr,
          .adapter = nullptr,
          .adapters = nullptr,
          .pool_factor = 0};
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
    const auto views = texts_of("quern_embed", texts, lengths, n, out ? out_len : 0);
    const quern_embed_options o = merged(options, quern_embed_options_default());
    InfoOut info(o.info, n);
    quern::EmbedOptions e = embed_options(o);
    e.info = info.all();
    const CallChanges changes(o, n, session->rep->model());
    e.changes = changes.all();
    quern::EmbedStats s;
    session->rep->embed(views, e, {out, out_len}, s);
    info.give();
    add_stats(s, stats);
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
    const CallChanges changes(o, n, session->rep->model());
    e.changes = changes.all();
    quern::EmbedStats s;
    session->rep->embed_ids(views, e, {out, out_len}, s);
    info.give();
    add_stats(s, stats);
  });
}

quern_status quern_encode(quern_session* session, const char* const* texts, const size_t* lengths, size_t n,
                          const quern_embed_options* options, unsigned outputs, quern_encoded** encoded,
                          quern_embed_stats* stats) {
  return guard([&] {
    require(session && encoded, "quern_encode: session and encoded must not be NULL");
    *encoded = nullptr;
    const quern::Wanted wanted = quern::c_api::wanted_of(outputs);
    const Texts views = texts_of("quern_encode", texts, lengths, n, kMostTexts);
    const quern_embed_options given = merged(options, quern_embed_options_default());
    InfoOut info(given.info, n);
    quern::EmbedOptions o = embed_options(given);
    o.info = info.all();
    const CallChanges changes(given, n, session->rep->model());
    o.changes = changes.all();
    quern::EmbedStats s;
    std::vector<quern::Encoded> made = session->rep->encode(views, o, wanted, s);
    const size_t width = wanted.dense ? static_cast<size_t>(session->rep->width(o)) : 0;
    auto result = quern::c_api::encoded_of(session->rep->model(), std::move(made), width);
    info.give();
    add_stats(s, stats);
    *encoded = result.release();
  });
}

void quern_encoded_free(quern_encoded* encoded) {
  delete encoded;
}

// Text i's values as rows; none for what is not there.
static const float* rows_of(const quern_encoded* encoded, size_t i, std::vector<float> quern::Encoded::*values,
                            size_t quern_encoded::*width, size_t* n_rows, size_t* row_width) {
  const bool there = encoded && i < encoded->texts.size() && encoded->*width > 0;
  if (row_width) *row_width = there ? encoded->*width : 0;
  if (n_rows) *n_rows = there ? (encoded->texts[i].*values).size() / (encoded->*width) : 0;
  return there ? (encoded->texts[i].*values).data() : nullptr;
}
const float* quern_encoded_dense(const quern_encoded* encoded, size_t i, size_t* rows, size_t* width) {
  return rows_of(encoded, i, &quern::Encoded::dense, &quern_encoded::width, rows, width);
}
size_t quern_encoded_sparse(const quern_encoded* encoded, size_t i, const int32_t** ids, const float** weights) {
  const bool there = encoded && i < encoded->texts.size();
  if (ids) *ids = there ? encoded->ids[i].data() : nullptr;
  if (weights) *weights = there ? encoded->weights[i].data() : nullptr;
  return there ? encoded->ids[i].size() : 0;
}
const float* quern_encoded_multi_vector(const quern_encoded* encoded, size_t i, size_t* rows, size_t* width) {
  return rows_of(encoded, i, &quern::Encoded::multi_vector, &quern_encoded::multi_width, rows, width);
}
const float* quern_encoded_states(const quern_encoded* encoded, size_t i, size_t* rows, size_t* width) {
  return rows_of(encoded, i, &quern::Encoded::states, &quern_encoded::states_width, rows, width);
}

quern_classify_options quern_classify_options_default(void) {
  return {.size = sizeof(quern_classify_options),
          .raw = 0,
          .max_length = 0,
          .long_texts = QUERN_LONG_TRUNCATE,
          .first_text = 1,
          .info = nullptr,
          .adapter = nullptr,
          .adapters = nullptr,
          .prompt = nullptr,
          .prompt_name = nullptr};
}

quern_status quern_classify(quern_session* session, const char* const* texts, const size_t* lengths,
                            const char* const* pairs, const size_t* pair_lengths, size_t n,
                            const quern_classify_options* options, float* scores, size_t scores_len,
                            quern_embed_stats* stats) {
  return guard([&] {
    require(session, "quern_classify: session must not be NULL");
    const quern_classify_options o = merged(options, quern_classify_options_default());
    const Texts first = texts_of("quern_classify", texts, lengths, n, scores ? scores_len : 0);
    Texts second;
    if (pairs) second = texts_of("quern_classify", pairs, pair_lengths, n, scores_len);
    quern::EmbedStats s;
    InfoOut info(o.info, n);
    quern::TextOptions t = classify_options(o);
    t.info = info.all();
    const CallChanges changes(o, n, session->rep->model());
    t.changes = changes.all();
    session->rep->classify(first, second, t, o.raw != 0, {scores, scores_len}, s);
    info.give();
    add_stats(s, stats);
  });
}

quern_status quern_rerank(quern_session* session, const char* query, size_t query_length, const char* const* texts,
                          const size_t* lengths, size_t n, const quern_classify_options* options, float* scores,
                          quern_embed_stats* stats) {
  return guard([&] {
    require(session && (query || query_length == 0) && (scores || n == 0),
            "quern_rerank: session, query and scores must not be NULL");
    const quern_classify_options o = merged(options, quern_classify_options_default());
    const Texts second = texts_of("quern_rerank", texts, lengths, n, kMostTexts);
    quern::EmbedStats s;
    InfoOut info(o.info, n);
    quern::TextOptions t = classify_options(o);
    t.info = info.all();
    const CallChanges changes(o, n, session->rep->model());
    t.changes = changes.all();
    session->rep->rerank({query, query_length}, second, t, o.raw != 0, {scores, n}, s);
    info.give();
    add_stats(s, stats);
  });
}

quern_status quern_classify_tokens(quern_session* session, const char* const* texts, const size_t* lengths, size_t n,
                                   const quern_classify_options* options, int grouped, quern_spans** spans,
                                   quern_embed_stats* stats) {
  return guard([&] {
    require(session && spans, "quern_classify_tokens: session and spans must not be NULL");
    *spans = nullptr;
    const quern_classify_options o = merged(options, quern_classify_options_default());
    const Texts views = texts_of("quern_classify_tokens", texts, lengths, n, kMostTexts);
    quern::EmbedStats s;
    InfoOut info(o.info, n);
    quern::TextOptions t = classify_options(o);
    t.info = info.all();
    const CallChanges changes(o, n, session->rep->model());
    t.changes = changes.all();
    const auto found = session->rep->classify_tokens(views, t, o.raw != 0, s);
    info.give();
    const std::vector<std::string>& labels = session->rep->model().pipeline.classifier->labels;
    auto result = std::make_unique<quern_spans>();
    for (const quern::TokenLabels& text : found)
      quern::c_api::add_spans(*result, quern::labelled(text, labels, grouped != 0));
    add_stats(s, stats);
    *spans = result.release();
  });
}

void quern_spans_free(quern_spans* spans) {
  delete spans;
}
const quern_span* quern_spans_of(const quern_spans* spans, size_t i, size_t* count) {
  const bool there = spans && i < spans->texts.size();
  if (count) *count = there ? spans->texts[i].size() : 0;
  return there ? spans->texts[i].data() : nullptr;
}
