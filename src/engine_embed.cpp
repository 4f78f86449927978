// Texts → vectors, sparse weights, a vector a token.
#include <algorithm>
#include <cstring>

#include "engine_jobs.h"
#include "error.h"

namespace quern {
namespace {

std::vector<Pipeline::Module> effective_modules(const LoadedModel& model, const EmbedOptions& options) {
  std::vector<Pipeline::Module> modules = model.pipeline.modules;
  if (modules.empty()) refuse_task(model, "vectors");
  if (!options.pooling.empty())
    for (Pipeline::Module& module : modules)
      if (module.type == "Pooling") module.pooling.modes = {options.pooling == "last" ? "lasttoken" : options.pooling};
  if (options.normalize) {
    while (!modules.empty() && modules.back().type == "Normalize") modules.pop_back();
    if (*options.normalize) modules.push_back({.type = "Normalize", .folder = {}, .pooling = {}, .dense = {}});
  }
  return modules;
}

// The vector head of a call and what it makes of one text.
struct Vectors {
  Vectors(const LoadedModel& model, const EmbedOptions& options)
      : head(effective_modules(model, options), model.heads->modules, model.model->width(), model.path) {
    width = options.dimensions > 0 ? options.dimensions : head.width();
    if (options.dimensions < 0 || options.dimensions > head.width())
      throw Error(Status::bad_argument, "dimensions: expected 1 to " + std::to_string(head.width()) + ", found " +
                                            std::to_string(options.dimensions));
  }

  // out: `width` floats.
  void make(Ops& op, const Tensor& hidden, int64_t skip, float* out) const {
    if (width == head.width()) return head.apply(op, hidden, skip, out);
    Arena::Scope scope(op.arena());
    const Tensor whole = op.tensor(1, head.width());
    head.apply(op, hidden, skip, whole.data);
    if (head.normalizes()) normalize(op.kernels(), whole.data, width);
    std::memcpy(out, whole.data, static_cast<size_t>(width) * sizeof(float));
  }

  VectorHead head;
  int64_t width;
};

void check_room(std::span<const float> out, size_t n, int64_t width) {
  if (n > out.size() / static_cast<size_t>(width))
    throw Error(Status::bad_argument, "out: expected room for " + std::to_string(n) + " rows of " +
                                          std::to_string(width) + " floats, found " + std::to_string(out.size()));
}

// Texts with the call's prompt before each.
struct TextJob : Session::Job {
  TextJob(const LoadedModel& model, std::span<const std::string_view> texts, const TextOptions& options)
      : model(model), texts(texts), prompt(prompt_of(model, options)) {
    settle(*this, model, options);
  }
  std::string_view prompted(size_t index, std::string& buffer) const {
    if (prompt.empty()) return texts[index];
    return buffer.assign(prompt).append(texts[index]);
  }
  void tokens(size_t index, Encoding& out) const override {
    thread_local std::string buffer;
    model.tokenizer->encode(prompted(index, buffer), {.add_special = true, .max_length = max_length}, out);
  }
  // Tokens of the prompt with its leading special ones.
  int64_t prompt_tokens() const {
    if (prompt.empty()) return 0;
    Encoding e;
    model.tokenizer->encode(prompt, {.add_special = true}, e);
    return static_cast<int64_t>(e.ids.size()) - 1;  // less the closing special token
  }

  const LoadedModel& model;
  std::span<const std::string_view> texts;
  const std::string prompt;
};

struct EmbedJob final : TextJob {
  EmbedJob(const LoadedModel& model, std::span<const std::string_view> texts, const EmbedOptions& options,
           std::span<float> out)
      : TextJob(model, texts, options), vectors(model, options), out(out) {
    if (vectors.head.skips_prompt()) skip = prompt_tokens();
    check_room(out, texts.size(), vectors.width);
  }
  float* row(size_t index) const { return out.data() + static_cast<int64_t>(index) * vectors.width; }
  void finish(Ops& op, const Finished& text) const override {
    vectors.make(op, text.hidden, std::min(skip, text.hidden.rows), row(text.index));
  }
  void finish_empty(size_t index) const override { std::fill_n(row(index), vectors.width, 0.0f); }

  const Vectors vectors;
  const std::span<float> out;
  int64_t skip = 0;
};

struct IdsJob final : Session::Job {
  IdsJob(const LoadedModel& model, std::span<const std::span<const int32_t>> texts, const EmbedOptions& options,
         std::span<float> out)
      : texts(texts), vectors(model, options), out(out) {
    settle(*this, model, options);
    check_room(out, texts.size(), vectors.width);
  }
  float* row(size_t index) const { return out.data() + static_cast<int64_t>(index) * vectors.width; }
  void tokens(size_t index, Encoding& e) const override {
    const size_t kept = std::min(texts[index].size(), max_length);
    e.ids.assign(texts[index].begin(), texts[index].begin() + static_cast<ptrdiff_t>(kept));
    e.type_ids.assign(kept, 0);
    e.n_dropped = texts[index].size() - kept;
    e.n_invalid = 0;
  }
  void finish(Ops& op, const Finished& text) const override { vectors.make(op, text.hidden, 0, row(text.index)); }
  void finish_empty(size_t index) const override { std::fill_n(row(index), vectors.width, 0.0f); }

  std::span<const std::span<const int32_t>> texts;
  const Vectors vectors;
  const std::span<float> out;
};

// Everything that is wanted, of one piece of a text each.
struct EncodeJob : Session::Job {
  EncodeJob(const LoadedModel& model, const EmbedOptions& options, Wanted wanted) : model(model), wanted(wanted) {
    settle(*this, model, options);
    if (wanted.dense) vectors = std::make_unique<Vectors>(model, options);
    if (wanted.sparse && !model.pipeline.sparse) refuse_task(model, "sparse weights");
    if (wanted.multi_vector && !model.pipeline.multi_vector) refuse_task(model, "vectors of tokens");
  }
  void tokens(size_t index, Encoding& out) const override { out = pieces[index]; }
  void finish(Ops& op, const Finished& text) const override {
    Encoded& to = made[text.index];
    if (wanted.dense) {
      to.dense.resize(static_cast<size_t>(vectors->width));
      const int64_t skip = vectors->head.skips_prompt() ? prompt_tokens : 0;
      vectors->make(op, text.hidden, std::min(skip, text.hidden.rows), to.dense.data());
    }
    if (wanted.sparse)
      to.sparse = sparse_weights(op, *model.pipeline.sparse, model.heads->sparse, text.hidden, text.ids.data(),
                                 model.unweighted_ids);
    if (wanted.multi_vector) to.multi_vector = token_vectors(op, model.heads->multi_vector, text.hidden);
  }
  void finish_empty(size_t index) const override {
    if (wanted.dense) made[index].dense.assign(static_cast<size_t>(vectors->width), 0.0f);
  }

  const LoadedModel& model;
  const Wanted wanted;
  std::unique_ptr<Vectors> vectors;
  int64_t prompt_tokens = 0;
  std::vector<Encoding> pieces;
  mutable std::vector<Encoded> made;  // each element written by one thread
};

// Where each text's pieces are among all pieces.
struct Pieces {
  std::vector<size_t> first;  // of each text; and their number at the end
};

// The pieces of all texts: one each, or, for long texts, windows.
Pieces cut(const TextJob& texts, const TextOptions& options, Pool& pool, std::vector<Encoding>& out,
           EmbedStats& stats) {
  const bool windows = options.long_texts == LongTexts::chunk_mean || options.long_texts == LongTexts::chunks;
  if (windows && options.overlap >= texts.max_length)
    throw Error(Status::bad_argument, "overlap: expected fewer tokens than a piece's " +
                                          std::to_string(texts.max_length) + ", found " +
                                          std::to_string(options.overlap));
  const size_t n = texts.texts.size();
  std::vector<std::vector<Encoding>> all(n);
  pool.run(static_cast<int64_t>(n), [&](int64_t task, Arena&) {
    const size_t index = static_cast<size_t>(task);
    std::string buffer;
    if (windows)
      all[index] = texts.model.tokenizer->encode_windows(
          texts.prompted(index, buffer),
          {.add_special = true, .max_length = texts.max_length, .stride = options.overlap});
    else
      texts.tokens(index, all[index].emplace_back());
  });
  Pieces pieces{{0}};
  for (std::vector<Encoding>& text : all) {
    stats.chunked += text.size() > 1;
    for (Encoding& e : text) {
      if (windows) e.n_dropped = 0;  // it is in another piece
      out.push_back(std::move(e));
    }
    pieces.first.push_back(out.size());
  }
  return pieces;
}

// Sparse weights of a whole text: of each token the largest, or all together where the head sums.
void merge_sparse(std::vector<SparseWeight>& all, bool sum) {
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  std::vector<SparseWeight> merged;
  for (const SparseWeight& w : all) {
    if (merged.empty() || merged.back().id != w.id)
      merged.push_back(w);
    else
      merged.back().weight = sum ? merged.back().weight + w.weight : std::max(merged.back().weight, w.weight);
  }
  std::sort(merged.begin(), merged.end(),
            [](const auto& a, const auto& b) { return a.weight != b.weight ? a.weight > b.weight : a.id < b.id; });
  all = std::move(merged);
}

// The pieces [first, last) of one text → the text.
Encoded join(EncodeJob& job, size_t first, size_t last, LongTexts mode, const KernelTable& kernels) {
  Encoded whole = std::move(job.made[first]);
  if (last - first == 1) return whole;
  const size_t width = whole.dense.size();
  if (mode == LongTexts::chunk_mean && width > 0) {
    std::vector<float> mean(width, 0.0f);
    float total = 0;
    for (size_t i = first; i < last; ++i) {
      const float weight = static_cast<float>(job.pieces[i].ids.size());
      const std::vector<float>& piece = i == first ? whole.dense : job.made[i].dense;
      kernels.axpy(weight, piece.data(), mean.data(), static_cast<int64_t>(width));
      total += weight;
    }
    for (float& v : mean) v /= total;
    if (job.vectors->head.normalizes()) normalize(kernels, mean.data(), static_cast<int64_t>(width));
    whole.dense = std::move(mean);
  }
  for (size_t i = first + 1; i < last; ++i) {
    Encoded& piece = job.made[i];
    if (mode == LongTexts::chunks) whole.dense.insert(whole.dense.end(), piece.dense.begin(), piece.dense.end());
    whole.sparse.insert(whole.sparse.end(), piece.sparse.begin(), piece.sparse.end());
    whole.multi_vector.insert(whole.multi_vector.end(), piece.multi_vector.begin(), piece.multi_vector.end());
  }
  if (!whole.sparse.empty()) merge_sparse(whole.sparse, job.model.pipeline.sparse->sum);
  return whole;
}

}  // namespace

int64_t Session::width(const EmbedOptions& options) const {
  const TextJob checked(*model_, {}, options);  // throws what embed would
  return Vectors(*model_, options).width;
}

void Session::embed(std::span<const std::string_view> texts, const EmbedOptions& options, std::span<float> out,
                    EmbedStats& stats) {
  if (options.long_texts == LongTexts::chunks)
    throw Error(Status::bad_argument, "a text may have several vectors: encode gives them");
  if (options.long_texts != LongTexts::chunk_mean)
    return run(EmbedJob(*model_, texts, options, out), texts.size(), stats);
  const int64_t width = this->width(options);
  check_room(out, texts.size(), width);
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
  const TextJob source(*model_, texts, options);
  EncodeJob job(*model_, options, wanted);
  job.prompt_tokens = source.prompt_tokens();
  EmbedStats counted;
  const Pieces pieces = cut(source, options, pool_, job.pieces, counted);
  job.made.resize(job.pieces.size());
  run(job, job.pieces.size(), counted);
  counted.texts = texts.size();
  stats.texts += counted.texts;
  stats.tokens += counted.tokens;
  stats.truncated += counted.truncated;
  stats.chunked += counted.chunked;
  stats.repaired += counted.repaired;
  std::vector<Encoded> out;
  for (size_t i = 0; i < texts.size(); ++i)
    out.push_back(join(job, pieces.first[i], pieces.first[i + 1], options.long_texts, kernels_));
  return out;
}

}  // namespace quern
