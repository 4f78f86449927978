// include/quern.h over the library. The only file that catches: nothing thrown leaves it.
#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <string>

#include "backend.h"
#include "convert/convert.h"
#include "cpu.h"
#include "dispatch.h"
#include "engine.h"
#include "error.h"
#include "heads/spans.h"
#include "quern.h"
#include "self_test.h"

#define QUERN_TEXT_OF(x) #x
#define QUERN_TEXT(x) QUERN_TEXT_OF(x)

struct quern_model {
  std::shared_ptr<const quern::LoadedModel> rep;
};
struct quern_session {
  std::unique_ptr<quern::Session> rep;
};
struct quern_decoder {
  std::shared_ptr<const quern::LoadedModel> model;
  quern::TokenDecoder rep;
  std::string text;
};

struct quern_encoded {
  std::vector<quern::Encoded> texts;
  size_t width = 0, multi_width = 0;
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

using quern::Error;
using quern::Status;

thread_local std::string last_error;

quern_status failed(Status status, const char* message) noexcept {
  try {
    last_error = message;
  } catch (...) {
    last_error.clear();
  }
  return static_cast<quern_status>(status);
}

template <class F>
quern_status guard(F&& body) noexcept {
  try {
    body();
    return QUERN_OK;
  } catch (const Error& e) {
    return failed(e.status, e.message.c_str());
  } catch (const std::bad_alloc&) {
    return failed(Status::out_of_memory, "out of memory");
  } catch (const std::exception& e) {
    return failed(Status::internal, e.what());
  } catch (...) {
    return failed(Status::internal, "unknown error");
  }
}

void require(bool condition, const char* message) {
  if (!condition) throw Error(Status::bad_argument, message);
}

// The caller's options over the defaults: a caller built against an older header has a smaller struct.
template <class T>
T merged(const T* options, T defaults) {
  if (!options) return defaults;
  require(options->size >= sizeof(size_t) && options->size <= 4096,
          "options.size is wrong: fill options in with their _default function");
  std::memcpy(static_cast<void*>(&defaults), options, std::min(options->size, sizeof(T)));
  return defaults;
}

quern::LongTexts long_texts(int value) {
  require(value >= QUERN_LONG_ERROR && value <= QUERN_LONG_CHUNKS, "long_texts must be one of quern_long_texts");
  return static_cast<quern::LongTexts>(value);
}

quern::EmbedOptions embed_options(const quern_embed_options* given) {
  const quern_embed_options o = merged(given, quern_embed_options_default());
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

char* copy_string(const std::string& text) {
  char* copy = static_cast<char*>(std::malloc(text.size() + 1));
  if (!copy) throw std::bad_alloc();
  std::memcpy(copy, text.c_str(), text.size() + 1);
  return copy;
}

}  // namespace

const char* quern_version(void) {
  return QUERN_TEXT(QUERN_VERSION_MAJOR) "." QUERN_TEXT(QUERN_VERSION_MINOR) "." QUERN_TEXT(QUERN_VERSION_PATCH);
}
const char* quern_last_error(void) {
  return last_error.c_str();
}
int quern_usable_cpus(void) {
  int n = 1;
  guard([&] { n = quern::usable_cpus(); });
  return n;
}
const char* quern_isa(void) {
  const char* name = nullptr;
  guard([&] { name = quern::default_kernels().name; });
  return name;
}
const char* quern_backend(void) {
  const char* name = nullptr;
  guard([&] { name = quern::backend_name(); });
  return name;
}
const char* quern_cpu(void) {
  static const std::string name = quern::cpu_name();
  return name.c_str();
}
void quern_string_free(char* string) {
  std::free(string);
}

quern_status quern_model_load(const char* path, quern_model** model) {
  return guard([&] {
    require(path && model, "quern_model_load: path and model must not be NULL");
    *model = nullptr;
    *model = new quern_model{std::shared_ptr<const quern::LoadedModel>(quern::load_model(path))};
  });
}

void quern_model_free(quern_model* model) {
  delete model;
}
int64_t quern_model_width(const quern_model* model) {
  return model->rep->model->width();
}
int64_t quern_model_max_length(const quern_model* model) {
  return static_cast<int64_t>(model->rep->max_length);
}

unsigned quern_model_outputs(const quern_model* model) {
  const quern::Pipeline& p = model->rep->pipeline;
  unsigned outputs = 0;
  if (!p.modules.empty()) outputs |= QUERN_DENSE;
  if (p.sparse) outputs |= QUERN_SPARSE;
  if (p.multi_vector) outputs |= QUERN_MULTI_VECTOR;
  if (p.classifier) outputs |= p.classifier->per_token ? QUERN_TOKEN_LABELS : QUERN_LABELS;
  return outputs;
}
int64_t quern_model_labels(const quern_model* model) {
  const auto& classifier = model->rep->pipeline.classifier;
  return classifier ? static_cast<int64_t>(classifier->labels.size()) : 0;
}
const char* quern_model_label(const quern_model* model, int64_t label) {
  if (label < 0 || label >= quern_model_labels(model)) return nullptr;
  return model->rep->pipeline.classifier->labels[static_cast<size_t>(label)].c_str();
}
int quern_model_matryoshka(const quern_model* model) {
  return model->rep->matryoshka ? 1 : 0;
}

quern_status quern_model_describe(const quern_model* model, char** json) {
  return guard([&] {
    require(model && json, "quern_model_describe: model and json must not be NULL");
    *json = copy_string(quern::describe_model(*model->rep));
  });
}

quern_status quern_model_self_test(const quern_model* model, char** json) {
  return guard([&] {
    require(model && json, "quern_model_self_test: model and json must not be NULL");
    *json = copy_string(quern::run_self_test(*model->rep));
  });
}

quern_tokenize_options quern_tokenize_options_default(void) {
  return {.size = sizeof(quern_tokenize_options), .add_special = 1, .max_length = 0};
}

quern_status quern_tokenize(const quern_model* model, const char* text, size_t length,
                            const quern_tokenize_options* options, int32_t* ids, size_t capacity, size_t* n_ids) {
  return guard([&] {
    require(model && (text || length == 0) && n_ids && (ids || capacity == 0),
            "quern_tokenize: model, text, ids and n_ids must not be NULL");
    const quern_tokenize_options o = merged(options, quern_tokenize_options_default());
    require(o.max_length >= -1, "max_length must not be below -1");
    thread_local quern::Encoding encoding;
    const size_t max = o.max_length < 0    ? 0
                       : o.max_length == 0 ? model->rep->max_length
                                           : static_cast<size_t>(o.max_length);
    model->rep->tokenizer->encode({text, length}, {.add_special = o.add_special != 0, .max_length = max}, encoding);
    *n_ids = encoding.ids.size();
    require(encoding.ids.size() <= capacity, "quern_tokenize: there are more ids than `capacity`");
    if (!encoding.ids.empty()) std::memcpy(ids, encoding.ids.data(), encoding.ids.size() * sizeof(int32_t));
  });
}

quern_detokenize_options quern_detokenize_options_default(void) {
  return {.size = sizeof(quern_detokenize_options), .skip_special = 1};
}

quern_status quern_detokenize(const quern_model* model, const int32_t* ids, size_t n,
                              const quern_detokenize_options* options, char** text, size_t* length) {
  return guard([&] {
    require(model && (ids || n == 0) && text && length,
            "quern_detokenize: model, ids, text and length must not be NULL");
    const quern_detokenize_options o = merged(options, quern_detokenize_options_default());
    const std::string all = model->rep->tokenizer->decode({ids, n}, o.skip_special != 0);
    *text = copy_string(all);
    *length = all.size();
  });
}

quern_status quern_decoder_new(const quern_model* model, const quern_detokenize_options* options,
                               quern_decoder** decoder) {
  return guard([&] {
    require(model && decoder, "quern_decoder_new: model and decoder must not be NULL");
    *decoder = nullptr;
    const quern_detokenize_options o = merged(options, quern_detokenize_options_default());
    *decoder = new quern_decoder{model->rep, {*model->rep->tokenizer, o.skip_special != 0}, {}};
  });
}

void quern_decoder_free(quern_decoder* decoder) {
  delete decoder;
}

quern_status quern_decoder_push(quern_decoder* decoder, const int32_t* ids, size_t n, const char** text,
                                size_t* length) {
  return guard([&] {
    require(decoder && (ids || n == 0) && text && length,
            "quern_decoder_push: decoder, ids, text and length must not be NULL");
    decoder->text.clear();
    for (size_t i = 0; i < n; ++i) decoder->rep.push(ids[i], decoder->text);
    *text = decoder->text.c_str();
    *length = decoder->text.size();
  });
}

quern_status quern_decoder_finish(quern_decoder* decoder, const char** text, size_t* length) {
  return guard([&] {
    require(decoder && text && length, "quern_decoder_finish: decoder, text and length must not be NULL");
    decoder->text.clear();
    decoder->rep.finish(decoder->text);
    *text = decoder->text.c_str();
    *length = decoder->text.size();
  });
}

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
          .overlap = 0};
}

quern_status quern_embed_width(quern_session* session, const quern_embed_options* options, int64_t* width) {
  return guard([&] {
    require(session && width, "quern_embed_width: session and width must not be NULL");
    *width = session->rep->width(embed_options(options));
  });
}

quern_status quern_embed(quern_session* session, const char* const* texts, const size_t* lengths, size_t n,
                         const quern_embed_options* options, float* out, size_t out_len, quern_embed_stats* stats) {
  return guard([&] {
    require(session, "quern_embed: session must not be NULL");
    const auto views = views_of<std::string_view>("quern_embed", texts, lengths, n, out ? out_len : 0);
    quern::EmbedStats s;
    session->rep->embed(views, embed_options(options), {out, out_len}, s);
    add(s, stats);
  });
}

quern_status quern_embed_ids(quern_session* session, const int32_t* const* ids, const size_t* lengths, size_t n,
                             const quern_embed_options* options, float* out, size_t out_len, quern_embed_stats* stats) {
  return guard([&] {
    require(session, "quern_embed_ids: session must not be NULL");
    const auto views = views_of<std::span<const int32_t>>("quern_embed_ids", ids, lengths, n, out ? out_len : 0);
    quern::EmbedStats s;
    session->rep->embed_ids(views, embed_options(options), {out, out_len}, s);
    add(s, stats);
  });
}

quern_status quern_encode(quern_session* session, const char* const* texts, const size_t* lengths, size_t n,
                          const quern_embed_options* options, unsigned outputs, quern_encoded** encoded,
                          quern_embed_stats* stats) {
  return guard([&] {
    require(session && encoded, "quern_encode: session and encoded must not be NULL");
    *encoded = nullptr;
    require(outputs != 0 && (outputs & ~7u) == 0, "outputs: expected QUERN_DENSE, QUERN_SPARSE, QUERN_MULTI_VECTOR");
    const Texts views = views_of<std::string_view>("quern_encode", texts, lengths, n, kMostTexts);
    const quern::EmbedOptions o = embed_options(options);
    auto result = std::make_unique<quern_encoded>();
    quern::EmbedStats s;
    result->texts = session->rep->encode(
        views, o, {(outputs & QUERN_DENSE) != 0, (outputs & QUERN_SPARSE) != 0, (outputs & QUERN_MULTI_VECTOR) != 0},
        s);
    if (outputs & QUERN_DENSE) result->width = static_cast<size_t>(session->rep->width(o));
    if (outputs & QUERN_MULTI_VECTOR)
      result->multi_width = static_cast<size_t>(session->rep->model().pipeline.multi_vector->width);
    result->split();
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

quern_classify_options quern_classify_options_default(void) {
  return {.size = sizeof(quern_classify_options),
          .raw = 0,
          .max_length = 0,
          .long_texts = QUERN_LONG_TRUNCATE,
          .first_text = 1};
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
    session->rep->classify(first, second, classify_options(o), o.raw != 0, {scores, scores_len}, s);
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
    session->rep->rerank({query, query_length}, second, classify_options(o), o.raw != 0, {scores, n}, s);
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
    const auto found = session->rep->classify_tokens(views, classify_options(o), o.raw != 0, s);
    const std::vector<std::string>& labels = session->rep->model().pipeline.classifier->labels;
    auto result = std::make_unique<quern_spans>();
    for (const quern::TokenLabels& text : found) {
      std::vector<quern::LabelledToken> tokens = best_labels(text, labels.size());
      if (grouped) tokens = quern::group_tokens(tokens, labels);
      std::vector<quern_span>& to = result->texts.emplace_back();
      for (const quern::LabelledToken& t : tokens) to.push_back({t.begin, t.end, t.label, t.score});
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

quern_status quern_model_macs(const quern_model* model, int64_t n_tokens, double* products, double* attention) {
  return guard([&] {
    require(model && n_tokens >= 0, "quern_model_macs: model must not be NULL, n_tokens not negative");
    const quern::Model& m = *model->rep->model;
    const double tokens = static_cast<double>(n_tokens);
    double weights = 0;
    for (const quern::WeightSpec& spec : model->rep->weights.specs)
      if (spec.linear) weights += static_cast<double>(spec.N) * static_cast<double>(spec.K);
    if (products) *products = weights * tokens;
    if (attention) *attention = 2 * tokens * tokens * static_cast<double>(m.layers() * m.width());
  });
}

quern_status quern_session_limit(quern_session* session, double seconds, double* macs_per_second) {
  return guard([&] {
    require(session && macs_per_second && seconds >= 0 && seconds <= 60,
            "quern_session_limit: session and macs_per_second must not be NULL, seconds 0 to 60");
    *macs_per_second = session->rep->int8_limit(seconds);
  });
}

quern_convert_options quern_convert_options_default(void) {
  return {.size = sizeof(quern_convert_options),
          .type = nullptr,
          .calibration = nullptr,
          .n_threads = 0,
          .self_test = nullptr,
          .progress = nullptr,
          .user = nullptr};
}

quern_status quern_convert(const char* folder, const char* output, const quern_convert_options* options) {
  return guard([&] {
    require(folder && output, "quern_convert: folder and output must not be NULL");
    const quern_convert_options o = merged(options, quern_convert_options_default());
    require(o.n_threads >= 0 && o.n_threads <= 1024, "n_threads: expected 0 (all that are usable) to 1024");
    quern::ConvertOptions c;
    if (o.type) c.type = o.type;
    if (o.calibration) c.calibration = o.calibration;
    if (o.self_test) c.self_test = o.self_test;
    c.threads = o.n_threads;
    if (o.progress)
      c.progress = [&](double done, double total, const char* what) {
        return o.progress(o.user, done, total, what) == 0;
      };
    quern::convert(folder, output, c);
  });
}
