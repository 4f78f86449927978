#include "engine.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <numeric>

#include "cpu.h"
#include "dispatch.h"
#include "error.h"

namespace quern {
namespace {

// Tokens of a pack: enough rows to amortize reading a layer's weights, few enough for its activations to stay in L2.
constexpr size_t kPackTokens = 128;

Pipeline effective_pipeline(const LoadedModel& model, const EmbedOptions& options) {
  Pipeline p = model.pipeline;
  if (!options.pooling.empty())
    for (Pipeline::Module& module : p.modules)
      if (module.type == "Pooling") module.pooling.modes = {options.pooling == "last" ? "lasttoken" : options.pooling};
  if (options.normalize) {
    std::erase_if(p.modules, [](const Pipeline::Module& m) { return m.type == "Normalize"; });
    if (*options.normalize) p.modules.push_back({.type = "Normalize", .folder = {}, .pooling = {}, .dense = {}});
  }
  return p;
}

}  // namespace

// What all workers of one embed() share.
struct Session::Call {
  Call(const LoadedModel& model, std::span<const std::string_view> texts,
       std::span<const std::span<const int32_t>> tokens, const EmbedOptions& options, std::span<float> out)
      : texts(texts),
        tokens(tokens),
        options(options),
        heads(effective_pipeline(model, options), model.model->width(), model.path),
        out(out) {
    width = options.dimensions > 0 ? options.dimensions : heads.width();
    if (options.dimensions < 0 || options.dimensions > heads.width())
      throw Error(Status::bad_argument, "dimensions: expected 1 to " + std::to_string(heads.width()) + ", found " +
                                            std::to_string(options.dimensions));
    if (options.prompt) {
      prompt = *options.prompt;
    } else if (const auto found = model.prompts.find(model.default_prompt); found != model.prompts.end()) {
      prompt = found->second;
    }
    max_length = options.max_length == 0 ? model.max_length : options.max_length;
    const size_t least = model.tokenizer->n_special(false);
    if (max_length > static_cast<size_t>(model.model->positions()) || max_length < least)
      throw Error(Status::bad_argument, "max_length: expected " + std::to_string(least) + " to " +
                                            std::to_string(model.model->positions()) + " tokens, found " +
                                            std::to_string(max_length));
    if (heads.skips_prompt() && !prompt.empty()) {
      Encoding e;
      model.tokenizer->encode(prompt, {.add_special = true}, e);
      skip = static_cast<int64_t>(e.ids.size()) - 1;  // less the closing special token
    }
  }

  size_t size() const { return texts.empty() ? tokens.size() : texts.size(); }

  std::span<const std::string_view> texts;
  std::span<const std::span<const int32_t>> tokens;  // in place of texts
  const EmbedOptions& options;
  const Heads heads;
  const std::span<float> out;
  int64_t width = 0;
  std::string prompt;
  size_t max_length = 0;
  int64_t skip = 0;
};

// Texts that go through the model together, and one worker's memory.
struct Session::Pack {
  std::vector<int32_t> ids, types;
  std::vector<Sequence> texts;
  std::vector<size_t> indices;  // of the texts in the call
  Encoding encoding;
  std::string prompted;
  std::vector<float> vector;
  EmbedStats stats;

  void clear() {
    ids.clear();
    types.clear();
    texts.clear();
    indices.clear();
  }
};

Session::Session(std::shared_ptr<const LoadedModel> model, int threads)
    : model_(std::move(model)),
      kernels_(default_kernels()),
      precision_(find_type(model_->type)->int8_activations ? Precision::i16 : Precision::f32),
      pool_(threads > 0 ? threads : usable_cpus()),
      packs_(static_cast<size_t>(pool_.size())) {}

Session::~Session() = default;

int64_t Session::width(const EmbedOptions& options) const {
  return Call(*model_, {}, {}, options, {}).width;
}

// Puts a text's tokens into the pack. False for a text without tokens, whose vector is zero.
bool Session::add_text(const Call& call, Pack& pack, size_t index) {
  if (call.texts.empty()) {
    const std::span<const int32_t> ids = call.tokens[index];
    const size_t kept = std::min(ids.size(), call.max_length);
    for (const int32_t id : ids)
      if (id < 0 || id >= model_->model->vocabulary())
        throw Error(Status::bad_argument,
                    "text " + std::to_string(call.options.first_text + index) + ": expected token ids 0 to " +
                        std::to_string(model_->model->vocabulary() - 1) + ", found " + std::to_string(id));
    pack.encoding.type_ids.assign(kept, 0);
    return add_tokens(call, pack, index, ids.first(kept), pack.encoding.type_ids, ids.size() - kept);
  }
  std::string_view text = call.texts[index];
  if (!call.prompt.empty()) {
    pack.prompted.assign(call.prompt).append(text);
    text = pack.prompted;
  }
  Encoding& e = pack.encoding;
  model_->tokenizer->encode(text, {.add_special = true, .max_length = call.max_length}, e);
  pack.stats.repaired += e.n_invalid > 0;
  return add_tokens(call, pack, index, e.ids, e.type_ids, e.n_dropped);
}

bool Session::add_tokens(const Call& call, Pack& pack, size_t index, std::span<const int32_t> ids,
                         std::span<const int32_t> types, size_t dropped) {
  if (dropped > 0 && !call.options.truncate)
    throw Error(Status::bad_argument, "text " + std::to_string(call.options.first_text + index) + " has " +
                                          std::to_string(ids.size() + dropped) + " tokens, the limit is " +
                                          std::to_string(call.max_length) + " and truncation is off");
  pack.stats.texts += 1;
  pack.stats.tokens += ids.size();
  pack.stats.truncated += dropped > 0;
  if (ids.empty()) {
    std::fill_n(call.out.data() + static_cast<int64_t>(index) * call.width, call.width, 0.0f);
    return false;
  }
  for (const int32_t type : types)
    if (type >= model_->model->types())
      throw Error(Status::bad_file, model_->path + ": the tokenizer gives segment type " + std::to_string(type) +
                                        ", but the model has " + std::to_string(model_->model->types()));
  pack.texts.push_back({static_cast<int64_t>(pack.ids.size()), static_cast<int64_t>(ids.size())});
  pack.indices.push_back(index);
  pack.ids.insert(pack.ids.end(), ids.begin(), ids.end());
  pack.types.insert(pack.types.end(), types.begin(), types.end());
  return true;
}

void Session::run_pack(const Call& call, Pack& pack, Ops& op) {
  Arena::Scope scope(op.arena());
  const Tensor states = forward(*model_->model, op, {pack.ids, pack.types, pack.texts});
  pack.vector.resize(static_cast<size_t>(call.heads.width()));
  for (size_t i = 0; i < pack.texts.size(); ++i) {
    const Sequence& text = pack.texts[i];
    const Tensor hidden{states.row(text.first), text.length, states.cols, states.stride};
    call.heads.apply(kernels_, hidden, std::min(call.skip, text.length), pack.vector.data());
    if (call.width < call.heads.width() && call.heads.normalizes()) normalize(kernels_, pack.vector.data(), call.width);
    std::memcpy(call.out.data() + static_cast<int64_t>(pack.indices[i]) * call.width, pack.vector.data(),
                static_cast<size_t>(call.width) * sizeof(float));
  }
}

void Session::embed(std::span<const std::string_view> texts, const EmbedOptions& options, std::span<float> out,
                    EmbedStats& stats) {
  run(Call(*model_, texts, {}, options, out), stats);
}

void Session::embed_ids(std::span<const std::span<const int32_t>> texts, const EmbedOptions& options,
                        std::span<float> out, EmbedStats& stats) {
  Call call(*model_, {}, texts, options, out);
  call.skip = 0;
  run(call, stats);
}

void Session::run(const Call& call, EmbedStats& stats) {
  const size_t n = call.size();
  if (n > call.out.size() / static_cast<size_t>(call.width))
    throw Error(Status::bad_argument, "out: expected room for " + std::to_string(n) + " rows of " +
                                          std::to_string(call.width) + " floats, found " +
                                          std::to_string(call.out.size()));
  if (n == 0) return;
  for (Pack& pack : packs_) pack.stats = {};
  if (n == 1) {  // nothing to share out but the inside of the operators
    Pack& pack = packs_[0];
    pack.clear();
    if (add_text(call, pack, 0)) {
      Ops op(kernels_, arena_, precision_, &pool_);
      run_pack(call, pack, op);
    }
  } else {
    // Each worker takes texts in order until its pack is full, runs it through all layers, and takes more.
    std::atomic<size_t> next{0};
    const size_t share = (n + packs_.size() - 1) / packs_.size();
    pool_.run(static_cast<int64_t>(packs_.size()), [&](int64_t worker, Arena& arena) {
      Pack& pack = packs_[static_cast<size_t>(worker)];
      Ops op(kernels_, arena, precision_);
      bool more = true;
      while (more) {
        pack.clear();
        for (size_t taken = 0; taken < share && pack.ids.size() < kPackTokens; ++taken) {
          const size_t index = next.fetch_add(1, std::memory_order_relaxed);
          more = index < n;
          if (!more) break;
          add_text(call, pack, index);
        }
        if (!pack.texts.empty()) run_pack(call, pack, op);
      }
    });
  }
  for (const Pack& pack : packs_) {
    stats.texts += pack.stats.texts;
    stats.tokens += pack.stats.tokens;
    stats.truncated += pack.stats.truncated;
    stats.repaired += pack.stats.repaired;
  }
}

double Session::int8_limit(double seconds) {
  using Clock = std::chrono::steady_clock;
  constexpr int64_t kSteps = 20000;  // well below a millisecond
  std::vector<double> rates(packs_.size());
  pool_.run(static_cast<int64_t>(rates.size()), [&](int64_t worker, Arena&) {
    const auto start = Clock::now();
    double macs = 0, passed = 0;
    do {
      macs += kernels_.int8_limit(kSteps);
      passed = std::chrono::duration<double>(Clock::now() - start).count();
    } while (passed < seconds);
    rates[static_cast<size_t>(worker)] = macs / passed;
  });
  return std::accumulate(rates.begin(), rates.end(), 0.0);
}

}  // namespace quern
