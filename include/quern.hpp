// quern for C++20: quern.h with owners, spans, vectors and exceptions. Header alone; link what quern.h links.
//
//   quern::Model model = quern::Model::load("minilm.q8");
//   quern::Vectors v = quern::Session(model).embed({"a quern", "a hand mill"});   // v[i]: a span of v.width floats
//
// What fails throws quern::Error with the library's sentence. A Model is a shared handle: copies are the same model. A
// Session or a Generator can be moved and not copied, and keeps its model alive. Threads are as in quern.h: a Model is
// immutable and may be used by any number of them, a Session or a Generator belongs to one caller at a time. Texts are
// string_views of UTF-8 that may hold NUL bytes. What has no wrapper here is a call of quern.h away: get().
#ifndef QUERN_HPP
#define QUERN_HPP

#include <quern.h>

#include <concepts>
#include <exception>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quern {
// Its names are not the library's own, which a program that links it statically has too.
inline namespace hpp {

// status: which kind; what(): the file or field, what was expected and what was found.
class Error : public std::runtime_error {
 public:
  Error(quern_status status, const std::string& message) : std::runtime_error(message), status(status) {}
  quern_status status;
};

// An owner of what quern.h hands out, by its _free function: Owner<quern_encoded, quern_encoded_free>.
template <auto release>
struct Release {
  template <class T>
  void operator()(T* p) const {
    release(p);
  }
};
template <class T, auto release>
using Owner = std::unique_ptr<T, Release<release>>;

namespace detail {

inline void check(quern_status status) {
  if (status != QUERN_OK) throw Error(status, quern_last_error());
}

inline std::string take(char* text) {
  const Owner<char, quern_string_free> owner(text);
  return text ? text : "";
}

// Texts as quern.h takes them.
struct Texts {
  explicit Texts(std::span<const std::string_view> texts) {
    pointers.reserve(texts.size());
    lengths.reserve(texts.size());
    for (const std::string_view text : texts) {
      pointers.push_back(text.empty() ? "" : text.data());
      lengths.push_back(text.size());
    }
  }
  std::vector<const char*> pointers;
  std::vector<size_t> lengths;
};

// An exception of the caller's function does not go through C: it is kept, and thrown when C is done.
class Caught {
 public:
  template <class F>
  int stop_after(const F& f) noexcept {  // 0: goes on
    try {
      return f() ? 0 : 1;
    } catch (...) {
      exception_ = std::current_exception();
      return 1;
    }
  }
  void rethrow() const {
    if (exception_) std::rethrow_exception(exception_);
  }

 private:
  std::exception_ptr exception_;
};

}  // namespace detail

// A list of texts from what programs have: {"a", "b"}, a vector or array of string, string_view or const char*.
class TextList {
 public:
  TextList(std::initializer_list<std::string_view> texts) : texts_(texts) {}
  template <class Range>
  requires requires(const Range& r) {
    std::string_view(*std::begin(r));
  } &&(!std::convertible_to<Range, std::string_view>)TextList(const Range& range)
      : texts_(std::begin(range), std::end(range)) {
  }  // the range outlives it
  size_t size() const { return texts_.size(); }
  operator std::span<const std::string_view>() const { return texts_; }

 private:
  std::vector<std::string_view> texts_;
};

// Rows of `width` floats, one after another in `values`.
struct Vectors {
  size_t width = 0;
  std::vector<float> values;

  size_t size() const { return width ? values.size() / width : 0; }
  std::span<const float> operator[](size_t i) const { return std::span(values).subspan(i * width, width); }
};

inline std::string version() {
  return quern_version();
}

// The path of a model by its name, "minilm" or "org/name": from the caches, else downloaded and converted, once. See
// quern/hub.h.
inline std::string pull(const std::string& name, const quern_hub_options* options = nullptr) {
  char* path = nullptr;
  detail::check(quern_hub_model(name.c_str(), options, &path));
  return detail::take(path);
}

class Model {
 public:
  // path: a model file, a Hugging Face folder, or a name whose files are in the cache; see quern_model_load.
  static Model load(const std::string& path) {
    quern_model* model = nullptr;
    detail::check(quern_model_load(path.c_str(), &model));
    return Model(model);
  }
  // device, gpu_layers: as quern_load_options has them.
  static Model load(const std::string& path, const std::string& device, const std::string& gpu_layers = "auto") {
    quern_load_options options = quern_load_options_default();
    options.device = device.c_str();
    options.gpu_layers = gpu_layers.c_str();
    quern_model* model = nullptr;
    detail::check(quern_model_load_on(path.c_str(), &options, &model));
    return Model(model);
  }
  explicit Model(quern_model* owned) : model_(owned, quern_model_free) {}

  quern_model* get() const { return model_.get(); }
  int64_t width() const { return quern_model_width(get()); }
  int64_t max_length() const { return quern_model_max_length(get()); }
  unsigned outputs() const { return quern_model_outputs(get()); }  // QUERN_DENSE and so on, or-ed
  std::vector<std::string> labels() const {
    std::vector<std::string> out;
    for (int64_t i = 0; i < quern_model_labels(get()); ++i) out.emplace_back(quern_model_label(get(), i));
    return out;
  }
  std::string describe() const {  // JSON
    char* json = nullptr;
    detail::check(quern_model_describe(get(), &json));
    return detail::take(json);
  }
  std::string fingerprint() const {
    char* text = nullptr;
    detail::check(quern_model_fingerprint(get(), &text));
    return detail::take(text);
  }
  // max_length: -1: never cut; 0: the model's.
  std::vector<int32_t> tokenize(std::string_view text, bool add_special = true, int64_t max_length = 0) const {
    quern_tokenize_options options = quern_tokenize_options_default();
    options.add_special = add_special;
    options.max_length = max_length;
    std::vector<int32_t> ids(text.size() + 16);
    size_t n = 0;
    const auto call = [&] {
      return quern_tokenize(get(), text.empty() ? "" : text.data(), text.size(), &options, ids.data(), ids.size(), &n);
    };
    quern_status status = call();
    if (status == QUERN_BAD_ARGUMENT && n > ids.size()) {
      ids.resize(n);
      status = call();
    }
    detail::check(status);
    ids.resize(n);
    return ids;
  }
  std::string detokenize(std::span<const int32_t> ids, bool skip_special = true) const {
    quern_detokenize_options options = quern_detokenize_options_default();
    options.skip_special = skip_special;
    char* text = nullptr;
    size_t length = 0;
    detail::check(quern_detokenize(get(), ids.data(), ids.size(), &options, &text, &length));
    const Owner<char, quern_string_free> owner(text);
    return std::string(text, length);
  }

 private:
  std::shared_ptr<quern_model> model_;
};

struct Span {
  size_t begin = 0, end = 0;  // bytes of the text
  int64_t label = 0;          // of Model::labels
  float score = 0;
};

class Session {
 public:
  // threads: 0: every CPU that may be used.
  explicit Session(Model model, int threads = 0) : model_(std::move(model)) {
    quern_session* session = nullptr;
    detail::check(quern_session_new(model_.get(), threads, &session));
    session_.reset(session);
  }
  quern_session* get() const { return session_.get(); }
  const Model& model() const { return model_; }
  int threads() const { return quern_session_threads(get()); }

  // One vector per text, in order; the same to the bit whatever the other texts. stats: counts are added to it.
  Vectors embed(const TextList& texts, const quern_embed_options& options = quern_embed_options_default(),
                quern_embed_stats* stats = nullptr) {
    Vectors out{embed_width(options), {}};
    out.values.resize(texts.size() * out.width);
    embed(texts, out.values, options, stats);
    return out;
  }
  // The same into the caller's memory: embed_width() floats for each text.
  void embed(const TextList& texts, std::span<float> out,
             const quern_embed_options& options = quern_embed_options_default(), quern_embed_stats* stats = nullptr) {
    const detail::Texts t(texts);
    detail::check(
        quern_embed(get(), t.pointers.data(), t.lengths.data(), texts.size(), &options, out.data(), out.size(), stats));
  }
  size_t embed_width(const quern_embed_options& options = quern_embed_options_default()) const {
    int64_t width = 0;
    detail::check(quern_embed_width(get(), &options, &width));
    return static_cast<size_t>(width);
  }

  // Scores of all labels for each text: rows of Model::labels.
  Vectors classify(const TextList& texts, const quern_classify_options& options = quern_classify_options_default(),
                   quern_embed_stats* stats = nullptr) {
    return scores(texts, nullptr, options, stats);
  }
  // The same for pairs, of two lists of one length.
  Vectors classify(const TextList& texts, const TextList& others,
                   const quern_classify_options& options = quern_classify_options_default(),
                   quern_embed_stats* stats = nullptr) {
    if (texts.size() != others.size()) throw Error(QUERN_BAD_ARGUMENT, "pairs need two lists of one length");
    return scores(texts, &others, options, stats);
  }
  // How well each text answers the query; higher is better.
  std::vector<float> rerank(std::string_view query, const TextList& texts,
                            const quern_classify_options& options = quern_classify_options_default(),
                            quern_embed_stats* stats = nullptr) {
    const detail::Texts t(texts);
    std::vector<float> out(texts.size());
    detail::check(quern_rerank(get(), query.empty() ? "" : query.data(), query.size(), t.pointers.data(),
                               t.lengths.data(), texts.size(), &options, out.data(), stats));
    return out;
  }
  // The labelled parts of each text (named entities). grouped: as in quern_classify_tokens.
  std::vector<std::vector<Span>> tag(const TextList& texts, bool grouped = true,
                                     const quern_classify_options& options = quern_classify_options_default(),
                                     quern_embed_stats* stats = nullptr) {
    const detail::Texts t(texts);
    quern_spans* spans = nullptr;
    detail::check(quern_classify_tokens(get(), t.pointers.data(), t.lengths.data(), texts.size(), &options, grouped,
                                        &spans, stats));
    const Owner<quern_spans, quern_spans_free> owner(spans);
    std::vector<std::vector<Span>> out(texts.size());
    for (size_t i = 0; i < out.size(); ++i) {
      size_t n = 0;
      const quern_span* found = quern_spans_of(spans, i, &n);
      for (size_t k = 0; k < n; ++k) out[i].push_back({found[k].begin, found[k].end, found[k].label, found[k].score});
    }
    return out;
  }

 private:
  Vectors scores(const TextList& texts, const TextList* others, const quern_classify_options& options,
                 quern_embed_stats* stats) {
    Vectors out{static_cast<size_t>(quern_model_labels(model_.get())), {}};
    out.values.resize(texts.size() * out.width);
    const detail::Texts t(texts);
    const std::optional<detail::Texts> o = others ? std::optional<detail::Texts>(*others) : std::nullopt;
    detail::check(quern_classify(get(), t.pointers.data(), t.lengths.data(), o ? o->pointers.data() : nullptr,
                                 o ? o->lengths.data() : nullptr, texts.size(), &options, out.values.data(),
                                 out.values.size(), stats));
    return out;
  }

  Model model_;
  Owner<quern_session, quern_session_free> session_;
};

// A turn of a conversation.
struct Message {
  std::string role, content;  // system, user, assistant
};

namespace detail {

inline std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      constexpr char digits[] = "0123456789abcdef";
      out += "\\u00";
      out += digits[c >> 4];
      out += digits[c & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace detail

struct Completion {
  std::string text;
  quern_finish finish = QUERN_FINISH_NONE;  // NONE: the caller ended it
  size_t tokens = 0;
};

class Generator {
 public:
  // What generate() and chat() call with each piece of text as it comes; false ends the text.
  using OnText = std::function<bool(std::string_view piece)>;

  explicit Generator(Model model, const quern_generator_options& options = quern_generator_options_default())
      : model_(std::move(model)) {
    quern_generator* generator = nullptr;
    detail::check(quern_generator_new(model_.get(), &options, &generator));
    generator_.reset(generator);
  }
  quern_generator* get() const { return generator_.get(); }
  const Model& model() const { return model_; }
  // What the model's makers say of sampling: the default of the calls below, and a start for other options.
  quern_generation_options sampling() const { return quern_model_generation_options(model_.get()); }

  // What follows token ids.
  Completion generate(std::span<const int32_t> ids, const quern_generation_options& options,
                      const OnText& on_text = {}) {
    Run run{{}, on_text, {}};
    const quern_status status = quern_generate(get(), ids.data(), ids.size(), &options, on_token, &run);
    run.caught.rethrow();
    detail::check(status);
    return std::move(run.completion);
  }
  // What follows a text, which no chat template is put around.
  Completion generate(std::string_view text, const quern_generation_options& options, const OnText& on_text = {}) {
    return generate(model_.tokenize(text, true, -1), options, on_text);
  }
  Completion generate(std::string_view text, const OnText& on_text = {}) { return generate(text, sampling(), on_text); }

  // The answer to a conversation, by the model's chat template.
  Completion chat(std::span<const Message> messages, const quern_generation_options& options,
                  const OnText& on_text = {}) {
    std::string json = "[";
    for (const Message& m : messages) {
      if (json.size() > 1) json += ',';
      json += "{\"role\":" + detail::json_string(m.role) + ",\"content\":" + detail::json_string(m.content) + "}";
    }
    return chat_json(json + "]", options, on_text);
  }
  Completion chat(std::span<const Message> messages, const OnText& on_text = {}) {
    return chat(messages, sampling(), on_text);
  }
  // The same with all that quern_chat_tokens takes: tools, parts of content, a template's own variables.
  Completion chat_json(std::string_view conversation, const quern_generation_options& options,
                       const OnText& on_text = {}) {
    int32_t* ids = nullptr;
    size_t n = 0;
    detail::check(quern_chat_tokens(model_.get(), conversation.data(), conversation.size(), &ids, &n));
    const Owner<int32_t, quern_ids_free> owner(ids);
    return generate(std::span<const int32_t>(ids, n), options, on_text);
  }

 private:
  struct Run {
    Completion completion;
    const OnText& on_text;
    detail::Caught caught;
  };

  static int on_token(void* user, const quern_token_event* event) {
    Run& run = *static_cast<Run*>(user);
    return run.caught.stop_after([&] {
      const std::string_view piece(event->length ? event->text : "", event->length);
      run.completion.text += piece;
      run.completion.tokens += event->token >= 0;
      run.completion.finish = event->finish;
      return piece.empty() || !run.on_text || run.on_text(piece);
    });
  }

  Model model_;
  Owner<quern_generator, quern_generator_free> generator_;
};

}  // namespace hpp
}  // namespace quern

#endif
