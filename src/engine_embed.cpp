// Texts → vectors, sparse weights, one vector per token.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>

#include "engine_jobs.h"
#include "error.h"

namespace quern {
namespace {

std::vector<Pipeline::Module> effective_modules(const LoadedModel& model, const EmbedOptions& options) {
  std::vector<Pipeline::Module> modules = model.pipeline.modules;
  if (modules.empty()) refuse_task(model, "vectors");
  if (options.pooling.empty() && model.model->language_head().linear && pooling_is_assumed(model))
    throw Error(Status::bad_argument, model.path +
                                          ": this model generates text, and nothing says how to make vectors of its "
                                          "states; a pooling has to be named (lasttoken, mean, …: --pooling)");
  if (!options.pooling.empty())
    for (Pipeline::Module& module : modules)
      if (module.type == "Pooling") module.pooling.modes = {options.pooling};
  if (options.normalize) {
    while (!modules.empty() && modules.back().type == "Normalize") modules.pop_back();
    if (*options.normalize) modules.push_back({.type = "Normalize", .folder = {}, .pooling = {}, .dense = {}});
  }
  return modules;
}

// The vector head of a call and what it makes of one text.
struct Vectors {
  Vectors(const LoadedModel& model, const EmbedOptions& options)
      : model(model), head(effective_modules(model, options), model.heads->modules, model.model->width(), model.path) {
    width = options.dimensions > 0 ? options.dimensions : head.width();
    if (options.dimensions < 0 || options.dimensions > head.width())
      throw Error(Status::bad_argument, "dimensions: expected 1 to " + std::to_string(head.width()) + ", found " +
                                            std::to_string(options.dimensions));
  }

  // f(i, vector) for each text i of the pack; first_text: the number of the call's first.
  template <class F>
  void make(Ops& op, const PackOutput& pack, int64_t skip, size_t first_text, const F& f) const {
    Ops::Scope scope(op);
    Tensor rows = head.apply(op, pack.states, pack.texts, skip);
    if (width < rows.cols) {
      rows = rows.columns(0, width);
      if (head.normalizes()) op.normalize(rows);
    }
    std::vector<float> room;
    const std::span<const float> values = op.read(rows, room);
    const size_t n = static_cast<size_t>(width);
    for (size_t i = 0; i < pack.size(); ++i) {
      require_finite(model, values.subspan(i * n, n), first_text + pack.indices[i]);
      f(i, values.subspan(i * n, n));
    }
  }

  const LoadedModel& model;
  VectorHead head;
  int64_t width;
};

// The vector head of a call over a caller's rows.
struct VectorRows {
  VectorRows(const LoadedModel& model, const EmbedOptions& options, std::span<float> out, size_t n)
      : vectors(model, options), out(out) {
    check_room(out, n, vectors.width);
  }
  static void check_room(std::span<const float> out, size_t n, int64_t width) {
    if (n > out.size() / static_cast<size_t>(width))
      throw Error(Status::bad_argument, "out: expected room for " + std::to_string(n) + " rows of " +
                                            std::to_string(width) + " floats, found " + std::to_string(out.size()));
  }
  float* row(size_t index) const { return out.data() + static_cast<int64_t>(index) * vectors.width; }
  void make(Ops& op, const PackOutput& pack, int64_t skip, size_t first_text) const {
    vectors.make(op, pack, skip, first_text, [&](size_t i, std::span<const float> vector) {
      std::copy(vector.begin(), vector.end(), row(pack.indices[i]));
    });
  }
  void clear(size_t index) const { std::fill_n(row(index), vectors.width, 0.0f); }

  const Vectors vectors;
  const std::span<float> out;
};

// Tokens of the prompt with its leading special ones.
int64_t prompt_tokens(const LoadedModel& model, const std::string& prompt) {
  if (prompt.empty()) return 0;
  Encoding e;
  model.tokenizer->encode(prompt, {.add_special = true}, e);
  return static_cast<int64_t>(e.ids.size()) - 1;  // less the closing special token
}

struct EmbedJob final : Session::Job {
  EmbedJob(const LoadedModel& model, std::span<const std::string_view> views, const EmbedOptions& options,
           std::span<float> out)
      : Job(Limits(model, options)), texts(model, views, options), rows(model, options, out, views.size()) {
    info = options.info;
    changes = options.changes;
    if (rows.vectors.head.skips_prompt()) skip = prompt_tokens(model, texts.prompt());
  }
  void tokens(size_t index, Encoding& out) const override {
    texts.encode(index, {.add_special = true, .max_length = limits.max_length}, out);
  }
  void take(Ops& op, const PackOutput& pack) const override { rows.make(op, pack, skip, limits.first_text); }
  void take_empty(size_t index) const override { rows.clear(index); }

  const PromptedTexts texts;
  const VectorRows rows;
  int64_t skip = 0;
};

struct IdsJob final : Session::Job {
  IdsJob(const LoadedModel& model, std::span<const std::span<const int32_t>> texts, const EmbedOptions& options,
         std::span<float> out)
      : Job(Limits(model, options)),
        vocabulary(model.model->vocabulary()),
        texts(texts),
        rows(model, options, out, texts.size()) {
    info = options.info;
    changes = options.changes;
  }
  void tokens(size_t index, Encoding& e) const override {
    for (const int32_t id : texts[index])
      if (id < 0 || id >= vocabulary)
        throw Error(Status::bad_argument, "text " + std::to_string(limits.first_text + index) +
                                              ": expected token ids 0 to " + std::to_string(vocabulary - 1) +
                                              ", found " + std::to_string(id));
    const std::span<const int32_t> kept = texts[index].first(std::min(texts[index].size(), limits.max_length));
    e.ids.assign(kept.begin(), kept.end());
    e.type_ids.assign(kept.size(), 0);
    e.n_dropped = texts[index].size() - kept.size();
    e.n_invalid = 0;
  }
  void take(Ops& op, const PackOutput& pack) const override { rows.make(op, pack, 0, limits.first_text); }
  void take_empty(size_t index) const override { rows.clear(index); }

  const int64_t vocabulary;
  std::span<const std::span<const int32_t>> texts;
  const VectorRows rows;
};

// How queries and documents differ, if it is vectors of tokens that are wanted; else null.
const LateInteraction* late_of(const LoadedModel& model, Wanted wanted) {
  const auto& head = model.pipeline.multi_vector;
  return wanted.multi_vector && head && head->late ? &*head->late : nullptr;
}

// How long texts may be: where queries have a width of their own, it is that, whatever the options say.
Limits encode_limits(const LoadedModel& model, const EmbedOptions& options, Wanted wanted) {
  const LateInteraction* late = late_of(model, wanted);
  const TextRole role = text_role(options.input_type);
  TextOptions o = options;
  if (!late || role == TextRole::none) return Limits(model, o);
  const bool query = role == TextRole::query;
  const size_t usual = static_cast<size_t>(query ? late->query_length : late->document_length);
  const size_t width = query ? static_cast<size_t>(late->expanded_length) : 0;
  if (o.max_length == 0) o.max_length = usual;
  if (width > 0 && late->cuts_queries) o.max_length = width;
  if (width > 0 && o.max_length > 0) o.max_length = std::max(o.max_length, width);
  return Limits(model, o);
}

// Everything that is wanted, of one piece of a text each.
struct EncodeJob final : Session::Job {
  EncodeJob(const LoadedModel& model, const EmbedOptions& options, Wanted wanted)
      : Job(encode_limits(model, options, wanted)),
        model(model),
        wanted(wanted),
        role(text_role(options.input_type)),
        late(late_of(model, wanted)) {
    if (!(options.pool_factor == 0 || (options.pool_factor >= 1 && options.pool_factor <= 1 << 20)))
      throw Error(Status::bad_argument,
                  "pool_factor: expected 1 to 1048576 tokens for each vector, or 0 for the "
                  "model's, found " +
                      std::to_string(options.pool_factor));
    if (options.pool_factor > 0) pooling = {.factor = options.pool_factor};
    if (expands() && options.long_texts > LongTexts::truncate)
      throw Error(Status::bad_argument, "long texts: a query that is expanded is cut or refused, not put in pieces");
    if (expands() && !late->expansion_is_seen && model.offload.device)
      throw Error(Status::unsupported, model.path +
                                           ": queries are expanded by tokens that no other sees, which runs "
                                           "on the CPUs alone; load the model without a device");
    if (wanted.dense) vectors = std::make_unique<Vectors>(model, options);
    if (wanted.sparse && !model.pipeline.sparse) refuse_task(model, "sparse weights");
    if (wanted.multi_vector && !model.pipeline.multi_vector) refuse_task(model, "vectors of tokens");
  }
  void tokens(size_t index, Encoding& out) const override { out = pieces[index]; }
  void take(Ops& op, const PackOutput& pack) const override {
    if (wanted.dense)
      vectors->make(op, pack, skip, limits.first_text, [&](size_t i, std::span<const float> vector) {
        made[pack.indices[i]].dense.assign(vector.begin(), vector.end());
      });
    if (!wanted.sparse && !wanted.multi_vector && !wanted.states) return;
    for (size_t i = 0; i < pack.size(); ++i) {
      Encoded& to = made[pack.indices[i]];
      const Tensor states = pack.states_of(i);
      std::vector<float> room;
      const std::span<const float> values = op.read(states, room);
      require_finite(model, values, limits.first_text + pack.indices[i]);
      if (wanted.sparse)
        to.sparse = sparse_weights(op, *model.pipeline.sparse, model.heads->sparse, states, pack.part(pack.ids, i),
                                   model.unweighted_ids);
      if (wanted.multi_vector)
        to.multi_vector = token_vectors(op, *model.pipeline.multi_vector, *model.heads, model.token_choice, states,
                                        pack.part(pack.ids, i), role, pooling ? &*pooling : nullptr);
      require_finite(model, to.multi_vector, limits.first_text + pack.indices[i]);
      if (wanted.states) to.states.assign(values.begin(), values.end());
    }
  }
  void take_empty(size_t index) const override {
    if (wanted.dense) made[index].dense.assign(static_cast<size_t>(vectors->width), 0.0f);
  }

  bool expands() const { return late && role == TextRole::query && late->expanded_length > 0; }
  // Fills a query up.
  void expand(Encoding& e) const {
    if (!expands()) return;
    const size_t width = static_cast<size_t>(late->expanded_length);
    if (e.ids.size() >= width) return;
    e.ids.resize(width, model.token_choice.expansion);
    e.type_ids.resize(width, 0);
  }
  int64_t unseen_of(size_t index) const override { return unseen.empty() ? 0 : unseen[index]; }

  const LoadedModel& model;
  const Wanted wanted;
  const TextRole role;
  const LateInteraction* const late;
  std::optional<TokenPooling> pooling;  // in place of the model's
  std::vector<int64_t> unseen;          // of pieces, where queries are filled up with what is not seen
  std::unique_ptr<Vectors> vectors;
  int64_t skip = 0;
  std::vector<Encoding> pieces;
  std::vector<const LinearChanges*> changes_of_pieces;  // where texts have any
  mutable std::vector<Encoded> made;                    // each element written by one thread
};

// Writes at its end how long it was there.
class Stopwatch {
 public:
  explicit Stopwatch(float* seconds) : seconds_(seconds), begun_(std::chrono::steady_clock::now()) {}
  ~Stopwatch() {
    if (seconds_) *seconds_ = std::chrono::duration<float>(std::chrono::steady_clock::now() - begun_).count();
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  float* const seconds_;
  const std::chrono::steady_clock::time_point begun_;
};

// Puts the pieces of all texts into the job: one each, or, for long texts, windows. → where each text's begin, and the
// number of all.
std::vector<size_t> cut(const PromptedTexts& texts, const TextOptions& options, Pool& pool, EncodeJob& job,
                        EmbedStats& stats) {
  const bool windows = options.long_texts == LongTexts::chunk_mean || options.long_texts == LongTexts::chunks;
  const size_t max_length = job.limits.max_length;
  if (windows && options.overlap >= max_length)
    throw Error(Status::bad_argument, "overlap: expected fewer tokens than a piece's " + std::to_string(max_length) +
                                          ", found " + std::to_string(options.overlap));
  std::vector<std::vector<Encoding>> all(texts.size());
  pool.run(static_cast<int64_t>(texts.size()), [&](int64_t task, Arena&) {
    const size_t index = static_cast<size_t>(task);
    const Stopwatch watch(options.info.empty() ? nullptr : &options.info[index].seconds);
    EncodeOptions encode{.add_special = true, .max_length = max_length};
    if (!windows) return texts.encode(index, encode, all[index].emplace_back());
    encode.stride = options.overlap;
    std::string buffer;
    all[index] = job.model.tokenizer->encode_windows(texts.get(index, buffer), encode);
    for (Encoding& e : all[index]) {
      e.n_dropped = 0;                                 // it is in another piece
      if (&e != &all[index].front()) e.n_invalid = 0;  // counted once a text
    }
  });
  std::vector<size_t> first = {0};
  for (std::vector<Encoding>& text : all) {
    stats.chunked += text.size() > 1;
    if (!options.changes.empty())
      job.changes_of_pieces.insert(job.changes_of_pieces.end(), text.size(), options.changes[first.size() - 1]);
    for (Encoding& piece : text) {
      const size_t own = piece.ids.size();
      job.expand(piece);
      if (job.expands() && !job.late->expansion_is_seen)
        job.unseen.push_back(static_cast<int64_t>(own > 0 ? piece.ids.size() - own : 0));
      job.pieces.push_back(std::move(piece));
    }
    first.push_back(job.pieces.size());
  }
  job.changes = job.changes_of_pieces;
  return first;
}

std::vector<float> normalized(Ops& op, const std::vector<float>& vector) {
  Ops::Scope scope(op);
  const Tensor row = op.tensor(1, static_cast<int64_t>(vector.size()));
  op.write(vector, row);
  op.normalize(row);
  std::vector<float> room;
  const std::span<const float> values = op.read(row, room);
  return {values.begin(), values.end()};
}

// The pieces [first, last) of one text → the text.
Encoded join(Ops& op, EncodeJob& job, size_t first, size_t last, LongTexts mode) {
  Encoded whole = std::move(job.made[first]);
  if (last - first == 1) return whole;
  const size_t width = whole.dense.size();
  if (mode == LongTexts::chunk_mean && width > 0) {
    std::vector<float> mean(width, 0.0f);
    float total = 0;
    for (size_t i = first; i < last; ++i) {
      const float weight = static_cast<float>(job.pieces[i].ids.size());
      const std::vector<float>& piece = i == first ? whole.dense : job.made[i].dense;
      for (size_t k = 0; k < width; ++k) mean[k] = std::fma(weight, piece[k], mean[k]);
      total += weight;
    }
    for (float& v : mean) v /= total;
    if (job.vectors->head.normalizes()) mean = normalized(op, mean);
    whole.dense = std::move(mean);
  }
  for (size_t i = first + 1; i < last; ++i) {
    Encoded& piece = job.made[i];
    if (mode == LongTexts::chunks) whole.dense.insert(whole.dense.end(), piece.dense.begin(), piece.dense.end());
    whole.sparse.insert(whole.sparse.end(), piece.sparse.begin(), piece.sparse.end());
    whole.multi_vector.insert(whole.multi_vector.end(), piece.multi_vector.begin(), piece.multi_vector.end());
    whole.states.insert(whole.states.end(), piece.states.begin(), piece.states.end());
  }
  if (!whole.sparse.empty()) merge_sparse(whole.sparse, job.model.pipeline.sparse->sum);
  return whole;
}

}  // namespace

int64_t Session::width(const EmbedOptions& options) const {
  const Limits limits(*model_, options);  // these two throw what embed would
  const PromptedTexts texts(*model_, {}, options);
  return Vectors(*model_, options).width;
}

void Session::embed(std::span<const std::string_view> texts, const EmbedOptions& options, std::span<float> out,
                    EmbedStats& stats) {
  if (options.long_texts == LongTexts::chunks)
    throw Error(Status::bad_argument, "a text may have several vectors: encode gives them");
  if (options.long_texts != LongTexts::chunk_mean)
    return run(EmbedJob(*model_, texts, options, out), texts.size(), stats);
  const int64_t width = this->width(options);
  VectorRows::check_room(out, texts.size(), width);
  const std::vector<Encoded> all = encode(texts, options, {.dense = true}, stats);
  for (size_t i = 0; i < all.size(); ++i)
    std::copy(all[i].dense.begin(), all[i].dense.end(), out.begin() + static_cast<ptrdiff_t>(i) * width);
}

void Session::embed_ids(std::span<const std::span<const int32_t>> texts, const EmbedOptions& options,
                        std::span<float> out, EmbedStats& stats) {
  run(IdsJob(*model_, texts, options, out), texts.size(), stats);
}

std::vector<Encoded> Session::encode(std::span<const std::string_view> texts, const EmbedOptions& options,
                                     Wanted wanted, EmbedStats& stats) {
  const PromptedTexts source(*model_, texts, options);
  EncodeJob job(*model_, options, wanted);
  if (job.vectors && job.vectors->head.skips_prompt()) job.skip = prompt_tokens(*model_, source.prompt());
  EmbedStats counted;
  const std::vector<size_t> first = cut(source, options, pool_, job, counted);
  job.made.resize(job.pieces.size());
  run(job, job.pieces.size(), counted);
  counted.texts = texts.size();  // not pieces
  stats += counted;
  for (size_t i = 0; i < options.info.size(); ++i) {
    TextInfo& info = options.info[i] = {.seconds = options.info[i].seconds};
    for (size_t piece = first[i]; piece < first[i + 1]; ++piece) {
      info.tokens += static_cast<uint32_t>(job.pieces[piece].ids.size());
      info.dropped += static_cast<uint32_t>(job.pieces[piece].n_dropped);
      info.repaired = info.repaired || job.pieces[piece].n_invalid > 0;
    }
  }
  std::vector<Encoded> out;
  for (size_t i = 0; i < texts.size(); ++i) {
    out.push_back(join(*wide_, job, first[i], first[i + 1], options.long_texts));
    require_finite(*model_, out.back().dense, job.limits.first_text + i);  // sums of pieces
  }
  return out;
}

}  // namespace quern
