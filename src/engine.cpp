// Packs: how texts share out over threads and go through the model together. What is asked of them: engine_*.cpp.
#include "engine.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <optional>

#include "cpu.h"
#include "dispatch.h"
#include "engine_jobs.h"
#include "error.h"
#include "io/json.h"
#include "model_cost.h"
#include "work_plan.h"

namespace quern {
namespace {

// Tokens of a pack: enough rows to amortize reading a layer's weights, few enough for its activations to stay in L2.
constexpr size_t kPackTokens = 128;
// Texts for each thread, and in all: with more, taking turns leaves little idle, and planning costs their square.
constexpr size_t kPlannedTexts = 16, kMostPlanned = 128;
// Of a pass that shares beginnings: tokens at least, and for each thread; texts that are tokenized together.
constexpr int64_t kPassTokens = 256, kTokensPerThread = 128;
constexpr size_t kTextsTogether = 1024;
// What threads lose in a layer that they share, waiting for one another eight times for some 2 µs.
constexpr double kSplitMacs = 2e6;

// The prompt that the options mean.
std::string prompt_of(const LoadedModel& model, const TextOptions& options) {
  if (options.prompt) return *options.prompt;
  const auto named = [&](const std::string& name) { return model.prompts.find(name); };
  if (!options.prompt_name.empty()) {
    if (named(options.prompt_name) != model.prompts.end()) return named(options.prompt_name)->second;
    std::string known;
    for (const auto& [name, text] : model.prompts) known += (known.empty() ? "" : ", ") + name;
    throw Error(Status::bad_argument, model.path + ": no prompt is called \"" + options.prompt_name +
                                          "\" (there are: " + (known.empty() ? "none" : known) + ")");
  }
  // As sentence-transformers' encode_query and encode_document choose.
  const bool query = options.input_type == "query";
  if (!query && !options.input_type.empty() && options.input_type != "document")
    throw Error(Status::bad_argument, "input_type: expected query or document, found \"" + options.input_type + "\"");
  std::vector<std::string> names = {model.default_prompt};
  if (query) names = {"query", model.default_prompt};
  if (!query && !options.input_type.empty()) names = {"document", "passage", "corpus", model.default_prompt};
  for (const std::string& name : names)
    if (named(name) != model.prompts.end()) return named(name)->second;
  return {};
}

}  // namespace

// Texts that go through the model together, and one worker's memory.
struct Session::Pack {
  std::unique_ptr<Ops> op;  // on the worker's own thread
  std::vector<int32_t> ids, types;
  std::vector<Span> offsets;
  std::vector<uint8_t> special_mask;
  std::vector<Sequence> texts;
  std::vector<size_t> indices;  // of the texts in the call
  Encoding encoding;
  EmbedStats stats;

  void clear() {
    ids.clear();
    types.clear();
    offsets.clear();
    special_mask.clear();
    texts.clear();
    indices.clear();
  }
};

// A device's Ops, which packs take turns with: while one is on the device, threads without it tokenize the next.
struct Session::Lanes {
  explicit Lanes(const LoadedModel& model) {
    for (int i = 0; i < kDeviceLanes; ++i) ops.push_back(model.offload.device->ops({.precision = precision_of(model)}));
    for (const auto& op : ops) free.push_back(op.get());
  }
  Ops& take() {
    std::unique_lock lock(mutex);
    available.wait(lock, [&] { return !free.empty(); });
    Ops* const op = free.back();
    free.pop_back();
    return *op;
  }
  void give_back(Ops& op) {
    {
      const std::lock_guard lock(mutex);
      free.push_back(&op);
    }
    available.notify_one();
  }

  std::mutex mutex;
  std::condition_variable available;
  std::vector<std::unique_ptr<Ops>> ops;
  std::vector<Ops*> free;
};

Session::Session(std::shared_ptr<const LoadedModel> model, int threads)
    : model_(std::move(model)),
      pool_(threads > 0 ? threads : usable_cpus()),
      packs_(static_cast<size_t>(pool_.size())) {
  const Precision precision = precision_of(*model_);
  wide_ = model_->device->ops({.precision = precision, .pool = &pool_});
  for (Pack& pack : packs_) pack.op = model_->device->ops({.precision = precision});
  if (model_->offload.device) lanes_ = std::make_unique<Lanes>(*model_);
}

Session::~Session() = default;

Limits::Limits(const LoadedModel& model, const TextOptions& options, bool pair)
    : max_length(options.max_length == 0 ? model.max_length : options.max_length),
      first_text(options.first_text),
      truncates(options.long_texts != LongTexts::error) {
  const size_t least = model.tokenizer->n_special(pair);
  if (max_length > static_cast<size_t>(model.model->positions()) || max_length < least)
    throw Error(Status::bad_argument, "max_length: expected " + std::to_string(least) + " to " +
                                          std::to_string(model.model->positions()) + " tokens, found " +
                                          std::to_string(max_length));
}

PromptedTexts::PromptedTexts(const LoadedModel& model, std::span<const std::string_view> texts,
                             const TextOptions& options)
    : tokenizer_(*model.tokenizer), texts_(texts), prompt_(prompt_of(model, options)) {}

void require_finite(const LoadedModel& model, std::span<const float> values, size_t text) {
  if (std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) return;
  throw Error(Status::bad_file, model.path + ": text " + std::to_string(text) +
                                    ": what the model makes of it is not finite: its weights are damaged, or it "
                                    "overflows; converting it anew from the original checks every weight");
}

void refuse_task(const LoadedModel& model, const char* wanted) {
  const Pipeline& p = model.pipeline;
  std::string makes;
  const auto add = [&](bool there, const char* what) {
    if (there) makes += (makes.empty() ? "" : ", ") + std::string(what);
  };
  add(!p.modules.empty(), "vectors (embed)");
  add(p.sparse.has_value(), "sparse weights (embed --sparse)");
  add(p.multi_vector.has_value(), "one vector per token (embed --multi-vector)");
  add(pair_scores(model) == 1, "scores of pairs (rerank)");
  add(p.classifier && !p.classifier->per_token, "label scores (classify)");
  add(p.classifier && p.classifier->per_token, "label scores of tokens (classify)");
  throw Error(Status::bad_argument, model.path + ": this model makes no " + wanted + "; it makes " + makes);
}

// Checks and counts a text, whose tokens are e; whether there is something to run.
bool Session::accept(const Job& job, EmbedStats& stats, size_t index, const Encoding& e) const {
  stats.repaired += e.n_invalid > 0;
  if (e.n_dropped > 0 && !job.limits.truncates)
    throw Error(Status::bad_argument, "text " + std::to_string(job.limits.first_text + index) + " has " +
                                          std::to_string(e.ids.size() + e.n_dropped) + " tokens, the limit is " +
                                          std::to_string(job.limits.max_length) + " and truncation is off");
  stats.texts += 1;
  stats.tokens += e.ids.size();
  stats.truncated += e.n_dropped > 0;
  if (!job.info.empty())
    job.info[index] = {static_cast<uint32_t>(e.ids.size()), static_cast<uint32_t>(e.n_dropped), e.n_invalid > 0,
                       job.info[index].seconds};
  if (e.ids.empty()) {
    job.take_empty(index);
    return false;
  }
  for (const int32_t id : e.ids)
    if (id >= model_->model->vocabulary())
      throw Error(Status::bad_argument,
                  "text " + std::to_string(job.limits.first_text + index) + ": its token " + std::to_string(id) + " (" +
                      printable(std::string(model_->tokenizer->piece(id))) + ") is none of the " +
                      std::to_string(model_->model->vocabulary()) + " that the model has an embedding for");
  for (const int32_t type : e.type_ids)
    if (type >= model_->model->types())
      throw Error(Status::bad_file, model_->path + ": the tokenizer gives segment type " + std::to_string(type) +
                                        ", but the model has " + std::to_string(model_->model->types()));
  return true;
}

// Puts a text, whose tokens are e, into the pack.
void Session::add_text(const Job& job, Pack& pack, size_t index, const Encoding& e) {
  if (!accept(job, pack.stats, index, e)) return;
  pack.texts.push_back({.first = static_cast<int64_t>(pack.ids.size()),
                        .length = static_cast<int64_t>(e.ids.size()),
                        .changes = job.changes_of(index),
                        .unseen = job.unseen_of(index)});
  pack.indices.push_back(index);
  pack.ids.insert(pack.ids.end(), e.ids.begin(), e.ids.end());
  pack.types.insert(pack.types.end(), e.type_ids.begin(), e.type_ids.end());
  if (!job.want_offsets) return;
  pack.offsets.insert(pack.offsets.end(), e.offsets.begin(), e.offsets.end());
  pack.special_mask.insert(pack.special_mask.end(), e.special_mask.begin(), e.special_mask.end());
}

void Session::run_pack(const Job& job, Pack& pack, const Placement& at) {
  const Ops::Scope on_host(at.host);
  std::optional<Ops::Scope> on_device;
  if (at.device) on_device.emplace(*at.device);
  const Tensor states = forward(*model_->model, at, {pack.ids, pack.types, pack.texts});
  job.take(at.last(), {states, pack.texts, pack.indices, pack.ids, pack.offsets, pack.special_mask});
}

void Session::run_on_device(const Job& job, Pack& pack) {
  struct Turn {
    Lanes& lanes;
    Ops& device;
    ~Turn() { lanes.give_back(device); }
  } turn{*lanes_, lanes_->take()};
  run_pack(job, pack, {*pack.op, &turn.device, model_->offload.first_layer});
}

// The tokens of a text, and how long they took.
void Session::tokenize(const Job& job, size_t index, Encoding& e) {
  const auto begun = std::chrono::steady_clock::now();
  job.tokens(index, e);
  if (!job.info.empty())
    job.info[index].seconds = std::chrono::duration<float>(std::chrono::steady_clock::now() - begun).count();
}

// Each worker takes texts in order until its pack is full, runs it through all layers, and takes more.
void Session::run_in_order(const Job& job, size_t n) {
  std::atomic<size_t> next{0};
  const size_t share = (n + packs_.size() - 1) / packs_.size();
  const size_t tokens = lanes_ ? kDevicePackTokens : kPackTokens;
  pool_.run(static_cast<int64_t>(packs_.size()), [&](int64_t worker, Arena&) {
    Pack& pack = packs_[static_cast<size_t>(worker)];
    bool more = true;
    while (more) {
      pack.clear();
      for (size_t taken = 0; taken < share && pack.ids.size() < tokens; ++taken) {
        const size_t index = next.fetch_add(1, std::memory_order_relaxed);
        more = index < n;
        if (!more) break;
        tokenize(job, index, pack.encoding);
        add_text(job, pack, index, pack.encoding);
      }
      if (pack.texts.empty()) continue;
      lanes_ ? run_on_device(job, pack) : run_pack(job, pack, {*pack.op});
    }
  });
}

// Few texts: each thread gets as much work, and the longest are split inside the operators where that takes less time.
void Session::run_planned(const Job& job, size_t n) {
  std::vector<Encoding> encodings(n);
  std::vector<double> costs(n);
  pool_.run(static_cast<int64_t>(n), [&](int64_t task, Arena&) {
    const size_t index = static_cast<size_t>(task);
    tokenize(job, index, encodings[index]);
    costs[index] = text_macs(*model_, static_cast<int64_t>(encodings[index].ids.size())).all();
  });
  const double split_cost = kSplitMacs * static_cast<double>(model_->model->layers());
  const WorkPlan plan = plan_work(costs, packs_.size(), split_cost);
  const auto run_all = [&](const std::vector<size_t>& texts, Pack& pack, Ops& op) {
    pack.clear();
    for (const size_t index : texts) {
      add_text(job, pack, index, encodings[index]);
      if (pack.ids.size() < kPackTokens) continue;
      run_pack(job, pack, {op});
      pack.clear();
    }
    if (!pack.texts.empty()) run_pack(job, pack, {op});
  };
  if (!plan.split.empty()) run_all(plan.split, packs_[0], *wide_);
  if (plan.split.size() == n) return;
  pool_.run(static_cast<int64_t>(packs_.size()), [&](int64_t worker, Arena&) {
    Pack& pack = packs_[static_cast<size_t>(worker)];
    run_all(plan.shares[static_cast<size_t>(worker)], pack, *pack.op);
  });
}

// What texts begin with alike goes through once, on all threads together.
void Session::run_prefixed(const Job& job, size_t n) {
  if (!prefixes_)
    prefixes_ = std::make_unique<PrefixPass>(*model_, *wide_, std::max(kPassTokens, kTokensPerThread * pool_.size()));
  const auto take = [&](const Tensor& states, std::span<const Sequence> texts, std::span<const size_t> indices) {
    job.take(*wide_, {states, texts, indices, {}, {}, {}});
  };
  for (size_t first = 0; first < n; first += kTextsTogether) {
    const size_t count = std::min(kTextsTogether, n - first);
    std::vector<Encoding> encodings(count);
    pool_.run(static_cast<int64_t>(count), [&](int64_t i, Arena&) {
      tokenize(job, first + static_cast<size_t>(i), encodings[static_cast<size_t>(i)]);
    });
    std::vector<PrefixPass::Text> texts;
    for (size_t i = 0; i < count; ++i)
      if (accept(job, packs_[0].stats, first + i, encodings[i]))
        texts.push_back({first + i, std::move(encodings[i].ids), job.changes_of(first + i)});
    prefixes_->run(texts, take);
  }
}

void Session::run(const Job& job, size_t n, EmbedStats& stats) {
  if (n == 0) return;
  for (Pack& pack : packs_) pack.stats = {};
  if (job.takes_last())
    run_prefixed(job, n);
  else if (!lanes_ && packs_.size() > 1 && n <= std::min(kPlannedTexts * packs_.size(), kMostPlanned))
    run_planned(job, n);
  else
    run_in_order(job, n);
  for (const Pack& pack : packs_) stats += pack.stats;
}

double Session::int8_limit(double seconds) {
  using Clock = std::chrono::steady_clock;
  constexpr int64_t kSteps = 20000;  // well below a millisecond
  std::vector<double> rates(packs_.size());
  pool_.run(static_cast<int64_t>(rates.size()), [&](int64_t worker, Arena&) {
    const auto start = Clock::now();
    double macs = 0, passed = 0;
    do {
      macs += default_kernels().int8_limit(kSteps);
      passed = std::chrono::duration<double>(Clock::now() - start).count();
    } while (passed < seconds);
    rates[static_cast<size_t>(worker)] = macs / passed;
  });
  return std::accumulate(rates.begin(), rates.end(), 0.0);
}

}  // namespace quern
