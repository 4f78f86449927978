#include "generation/generator.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "cpu.h"
#include "dispatch.h"
#include "error.h"
#include "generation/prompt_lookup.h"
#include "generation/prompt_shares.h"
#include "io/available_memory.h"
#include "mebibytes.h"
#include "model_cost.h"

namespace quern {
namespace {

constexpr int64_t kDefaultContext = 4096, kMostSequences = 4096;
constexpr double kAttentionSlowness = 2.8;  // time of its multiply-accumulates, of that of the weights': 8-bit products
constexpr int64_t kLeastRoom = 32;          // for prompts beside generating sequences
constexpr int64_t kLogitRows = 64;          // computed together: bounds their memory
constexpr uint64_t kLeastSpare = uint64_t{128} << 20;

}  // namespace

uint64_t kv_room(const LoadedModel& model) {
  const uint64_t free = available_memory();
  if (free == 0) return UINT64_MAX;
  const uint64_t others = mapped_bytes(model) + MemoryPromise::in_all();
  const uint64_t room = free - std::min(free, others);
  return room - std::min(room, std::max(room / 8, kLeastSpare));
}

KvPlan KvPlan::of(const LoadedModel& model, const GeneratorOptions& options) {
  return of(model, options, options.kv_memory > 0 ? 0 : kv_room(model));
}

KvPlan KvPlan::of(const LoadedModel& model, const GeneratorOptions& options, uint64_t room) {
  KvShape shape = model.model->language_head().kv;
  if (shape.layers == 0 || !generates(model))
    throw Error(Status::unsupported, model.path + ": this model generates no text: it is " +
                                         (shape.layers == 0 ? "an encoder" : "a classifier"));
  shape.type = options.kv_type;
  const int64_t most = model.model->positions();
  KvPlan plan;
  plan.context = options.context > 0 ? options.context : std::min(most, kDefaultContext);
  if (options.context < 0 || plan.context > most)
    throw Error(Status::bad_argument, "context: expected 1 to " + std::to_string(most) +
                                          " tokens, which the model was made for, found " +
                                          std::to_string(options.context));
  if (options.sequences < 1 || options.sequences > kMostSequences)
    throw Error(Status::bad_argument, "sequences: expected 1 to " + std::to_string(kMostSequences) + ", found " +
                                          std::to_string(options.sequences));
  plan.page_bytes = model.device->kv_page_bytes(shape);
  int64_t one = pages_of(plan.context);
  const uint64_t allowed = options.kv_memory > 0 ? options.kv_memory : room;
  const int64_t fit = static_cast<int64_t>(std::min<uint64_t>(allowed / plan.page_bytes, INT32_MAX));
  if (options.context == 0 && fit < one && fit >= pages_of(kLeastContext)) {
    one = fit;
    plan.context = one * kPageTokens;
  }
  if (options.kv_memory == 0) {
    if (fit < one)
      throw Error(Status::bad_argument, "context: keys and values of one sequence of " + std::to_string(plan.context) +
                                            " tokens need " + mebibytes(plan.page_bytes * static_cast<uint64_t>(one)) +
                                            ", and beside the weights there is room for " + mebibytes(room) +
                                            "; choose a smaller context or kv_type i8, or say how much with kv_memory");
    plan.pages = std::min(one * options.sequences, fit);
    return plan;
  }
  plan.pages = std::min(one * options.sequences, fit);
  if (plan.pages < one)
    throw Error(Status::bad_argument, "kv_memory: keys and values of one sequence of " + std::to_string(plan.context) +
                                          " tokens need " + mebibytes(plan.page_bytes * static_cast<uint64_t>(one)) +
                                          ", allowed are " + mebibytes(options.kv_memory) +
                                          "; allow more, or a smaller context");
  const uint64_t bytes = plan.page_bytes * static_cast<uint64_t>(plan.pages), memory = physical_memory();
  if (memory > 0 && bytes > memory)
    throw Error(Status::bad_argument, "the KV cache of " + std::to_string(options.sequences) + " sequences of " +
                                          std::to_string(plan.context) + " tokens needs " + mebibytes(bytes) +
                                          ", more than the machine's " + mebibytes(memory) +
                                          "; choose a smaller context, fewer sequences, int8 or a kv_memory");
  return plan;
}

// Keys and values depend on the adapter.
static uint64_t root_key(const Request& request) {
  return request.prefix_key + (request.adapter ? request.adapter->number() * 0x9E3779B97F4A7C15u : 0);
}

struct Generator::Running {
  int64_t id;
  std::vector<int32_t> tokens;  // prompt and answer
  size_t prompt, kept = 0;      // of tokens: the prompt's, and those whose keys and values are kept
  int64_t most;                 // tokens in all
  std::vector<int32_t> pages;
  size_t remembered = 0;  // pages that others may find
  PagePool::Place place;
  std::shared_ptr<const Adapter> adapter;
  Sampler sampler;
  bool ignore_end;
  int speculate;
  std::unique_ptr<Drafter> drafter;
  std::vector<int32_t> draft;  // behind the tokens in this pass
  bool answers = false;        // this pass ends with its last token
  Finish finish = Finish::none;

  Running(int64_t number, Request&& request, std::unique_ptr<GrammarState> grammar, int64_t context, size_t n_vocab)
      : id(number),
        tokens(std::move(request.prompt)),
        prompt(tokens.size()),
        most(request.max_tokens < 0 ? context : std::min(context, static_cast<int64_t>(prompt) + request.max_tokens)),
        place(PagePool::root(root_key(request))),
        adapter(std::move(request.adapter)),
        sampler(request.sampling, n_vocab, std::move(grammar)),
        ignore_end(request.ignore_end),
        speculate(request.speculate) {
    sampler.accept_prompt(tokens);
    if (speculate == 0) return;
    drafter = request.make_drafter ? request.make_drafter() : std::make_unique<PromptLookup>();
    drafter->add(tokens);
  }
  size_t pending() const { return tokens.size() - kept; }
  bool reading() const { return pending() > 1; }
};

Generator::Generator(std::shared_ptr<const LoadedModel> model, const GeneratorOptions& options)
    : model_(std::move(model)),
      head_(model_->model->language_head()),
      vocabulary_(static_cast<size_t>(model_->model->vocabulary())),
      options_(options),
      plan_(KvPlan::of(*model_, options)),
      promise_(plan_.bytes()),
      pool_(options.threads > 0 ? options.threads : usable_cpus()),
      op_(model_->device->ops({.pool = &pool_})),
      cache_(model_->device->kv_cache({options.kv_type, head_.kv.layers, head_.kv.heads, head_.kv.d}, plan_.pages)),
      pages_(plan_.pages) {
  const Macs macs = text_macs(*model_, 1);
  attention_cost_ = kAttentionSlowness * macs.attention / macs.products;
}

Generator::~Generator() = default;

void Generator::check(std::span<const int32_t> prompt) const {
  if (prompt.empty()) throw Error(Status::bad_argument, "prompt: expected at least one token, found none");
  for (const int32_t id : prompt)
    if (id < 0 || id >= model_->model->vocabulary())
      throw Error(Status::bad_argument, "prompt: expected token ids from 0 to " +
                                            std::to_string(model_->model->vocabulary() - 1) + ", found " +
                                            std::to_string(id));
}

int64_t Generator::add(Request request, std::unique_ptr<GrammarState> grammar) {
  check(request.prompt);
  if (static_cast<int64_t>(request.prompt.size()) >= plan_.context)
    throw Error(Status::bad_argument, "prompt: expected fewer than the context's " + std::to_string(plan_.context) +
                                          " tokens, found " + std::to_string(request.prompt.size()));
  if (request.max_tokens < -1)
    throw Error(Status::bad_argument, "max_tokens: expected -1 or more, found " + std::to_string(request.max_tokens));
  if (request.speculate < 0 || request.speculate > 16)
    throw Error(Status::bad_argument, "speculate: expected 0 to 16, found " + std::to_string(request.speculate));
  if (request.adapter && &request.adapter->model() != model_.get())
    throw Error(Status::bad_argument, "adapter: was loaded for another model; load it for this one");
  if (static_cast<int64_t>(running_.size()) >= options_.sequences)
    throw Error(Status::bad_argument, "all " + std::to_string(options_.sequences) + " sequences are running");
  auto r = std::make_unique<Running>(next_, std::move(request), std::move(grammar), plan_.context, vocabulary_);
  running_.reserve(running_.size() + 1);  // nothing may be thrown once pages are taken
  r->pages.reserve(static_cast<size_t>(pages_of(r->most)));
  if (options_.reuse_prefixes) reuse(*r);
  stats_.prompt_tokens += r->tokens.size();
  stats_.reused_tokens += r->kept;
  running_.push_back(std::move(r));
  return next_++;
}

bool Generator::runs(int64_t sequence) const {
  return std::any_of(running_.begin(), running_.end(), [&](const auto& r) { return r->id == sequence; });
}

void Generator::cancel(int64_t sequence) {
  for (auto& r : running_)
    if (r->id == sequence) {
      release(*r);
      running_.erase(running_.begin() + (&r - running_.data()));
      return;
    }
}

// Whole pages of the prompt that are still kept; its last token always goes through, since it is to be answered.
void Generator::reuse(Running& r) {
  while (r.kept + kPageTokens < r.tokens.size()) {
    PagePool::Place place;
    const int32_t page = pages_.find(r.place, std::span(r.tokens).subspan(r.kept, kPageTokens), place);
    if (page < 0) break;
    r.pages.push_back(page);
    r.place = place;
    r.kept += kPageTokens;
    ++r.remembered;
  }
}

void Generator::remember(Running& r) {
  if (!options_.reuse_prefixes) return;
  for (; (r.remembered + 1) * kPageTokens <= r.kept; ++r.remembered)
    r.place = pages_.remember(r.pages[r.remembered], r.place,
                              std::span(r.tokens).subspan(r.remembered * kPageTokens, kPageTokens));
}

void Generator::release(Running& r) {
  while (!r.pages.empty()) {  // the last first, so that beginnings are forgotten last
    pages_.release(r.pages.back());
    r.pages.pop_back();
  }
}

// Pages for so many tokens in all.
bool Generator::reserve(Running& r, int64_t tokens) {
  r.pages.reserve(static_cast<size_t>(pages_of(tokens)));
  while (static_cast<int64_t>(r.pages.size()) < pages_of(tokens)) {
    const int32_t page = pages_.take();
    if (page < 0) return false;
    cache_->clear(page);
    if (page >= touched_) {
      promise_.took(plan_.page_bytes * static_cast<uint64_t>(page + 1 - touched_));
      touched_ = page + 1;
    }
    r.pages.push_back(page);
  }
  return true;
}

// Puts at most `most` of a sequence's waiting tokens into the pass; whether there were pages for them.
bool Generator::pack_tokens(Running& r, int64_t most) {
  const int64_t n = std::min(most, static_cast<int64_t>(r.pending()));
  r.answers = n == static_cast<int64_t>(r.pending());
  r.draft.clear();
  if (r.answers && r.speculate > 0) {
    const int64_t room = std::min<int64_t>(r.speculate, r.most - static_cast<int64_t>(r.tokens.size()) - 1);
    if (room > 0) r.drafter->propose(static_cast<size_t>(room), r.draft);
    r.draft.resize(std::min(r.draft.size(), static_cast<size_t>(std::max<int64_t>(room, 0))));
    const auto known = [&](int32_t id) { return id >= 0 && id < model_->model->vocabulary(); };
    r.draft.erase(std::find_if_not(r.draft.begin(), r.draft.end(), known), r.draft.end());
  }
  const int64_t read = static_cast<int64_t>(r.kept) + n;
  if (!reserve(r, read)) return false;
  // A draft takes no pages, which another sequence may need.
  const size_t room = r.pages.size() * kPageTokens - static_cast<size_t>(read);
  if (r.draft.size() > room) r.draft.resize(room);
  const int64_t all = n + static_cast<int64_t>(r.draft.size());
  const auto from = r.tokens.begin() + static_cast<int64_t>(r.kept);
  texts_.push_back({.first = static_cast<int64_t>(ids_.size()),
                    .length = all,
                    .past = static_cast<int64_t>(r.kept),
                    .pages = r.pages.data(),
                    .changes = r.adapter ? &r.adapter->changes() : nullptr});
  ids_.insert(ids_.end(), from, from + n);
  ids_.insert(ids_.end(), r.draft.begin(), r.draft.end());
  r.kept += static_cast<size_t>(n);
  return true;
}

// Puts a pass together, those that answer first; whether prompts are among it. Who finds no pages has failed; they are
// asked for in order of arrival.
bool Generator::pack(std::vector<Generated>& out) {
  ids_.clear();
  texts_.clear();
  in_pass_.clear();
  const auto put = [&](Running& r, int64_t most) {
    if (pack_tokens(r, most)) {
      in_pass_.push_back(&r);
      return true;
    }
    fail(r,
         Error(Status::out_of_memory,
               "the KV cache is full: " + mebibytes(plan_.page_bytes * static_cast<uint64_t>(plan_.pages)) +
                   " hold no more tokens of all sequences together"),
         out);
    return false;
  };
  std::vector<Running*> readers;
  std::vector<int64_t> waiting;
  std::vector<double> costs;
  for (auto& r : running_) {
    if (r->finish != Finish::none) continue;
    if (r->reading()) {
      readers.push_back(r.get());
      waiting.push_back(static_cast<int64_t>(r->pending()));
      costs.push_back(1 + attention_cost_ * static_cast<double>(r->kept));
    } else {
      put(*r, 1);
    }
  }
  const bool others = readers.size() < running_.size();
  const int64_t room = others ? std::min(options_.chunk, std::max(kLeastRoom, options_.chunk / 4)) : options_.chunk;
  const std::vector<int64_t> shares = prompt_shares(waiting, room, costs);
  bool read = false;
  for (size_t i = 0; i < readers.size(); ++i)
    if (shares[i] > 0) read = put(*readers[i], shares[i]) || read;
  return read;
}

Tensor Generator::states() {
  Batch batch;
  batch.ids = ids_;
  batch.texts = texts_;
  batch.cache = cache_.get();
  batch.growing_to = plan_.context;
  return forward(*model_->model, {*op_}, batch);
}

// Of those rows, one after the other.
std::span<const float> Generator::logits(const Tensor& states, std::span<const int64_t> rows) {
  const Tensor y = op_->linear(op_->gather(states, rows), *head_.linear);
  if (head_.softcap > 0) op_->softcap(y, head_.softcap);
  return op_->read(y, room_);
}

// Goes on with a token; whether the sequence goes on.
bool Generator::take(Running& r, const Sampler::Choice& choice, std::vector<Generated>& out) {
  r.sampler.accept(choice.id);
  r.tokens.push_back(choice.id);
  if (r.speculate > 0) r.drafter->add(std::span(&choice.id, 1));
  ++stats_.generated_tokens;
  const bool end = model_->end_tokens.contains(choice.id) && !r.ignore_end;
  r.finish = end || r.sampler.finished()                       ? Finish::end
             : static_cast<int64_t>(r.tokens.size()) >= r.most ? Finish::length
                                                               : Finish::none;
  out.push_back({r.id, choice.id, choice.logprob, choice.top, r.finish, {}});
  return r.finish == Finish::none;
}

void Generator::fail(Running& r, const Error& error, std::vector<Generated>& out) {
  r.finish = Finish::error;
  release(r);  // now: the next one in this pass may need its pages
  out.push_back({r.id, -1, 0, {}, Finish::error, error.message, error.status});
}

// The tokens that follow from a sequence's logits: one, and one more for each draft token that was right.
void Generator::choose(Running& r, std::span<const float> logits, std::vector<Generated>& out) {
  if (static_cast<int64_t>(r.tokens.size()) >= r.most) {  // max_tokens 0: the prompt went through, nothing follows
    r.finish = Finish::length;
    out.push_back({r.id, -1, 0, {}, Finish::length, {}});
    return;
  }
  try {
    for (size_t i = 0; i <= r.draft.size(); ++i) {
      const Sampler::Choice choice = r.sampler.choose(logits.subspan(i * vocabulary_, vocabulary_));
      if (!take(r, choice, out) || i == r.draft.size() || choice.id != r.draft[i]) return;
      ++r.kept;  // the draft token went through already
      ++stats_.accepted_tokens;
    }
  } catch (const Error& e) {
    fail(r, e, out);
  }
}

void Generator::step(std::vector<Generated>& out) {
  if (running_.empty()) return;
  const auto start = std::chrono::steady_clock::now();
  const bool read = pack(out);
  if (!in_pass_.empty()) {
    Ops::Scope scope(*op_);
    const Tensor x = states();
    std::vector<int64_t> rows;
    std::vector<std::pair<Running*, size_t>> answering;
    for (size_t i = 0; i < in_pass_.size(); ++i) {
      Running& r = *in_pass_[i];
      if (!r.answers) continue;
      answering.emplace_back(&r, rows.size());
      const int64_t n = static_cast<int64_t>(r.draft.size()) + 1;
      for (int64_t j = n; j > 0; --j) rows.push_back(texts_[i].first + texts_[i].length - j);
    }
    if (!rows.empty()) {
      const std::span<const float> all = logits(x, rows);
      for (const auto& [r, first] : answering) choose(*r, all.subspan(first * vocabulary_), out);
    }
  }
  for (auto& r : running_) {
    if (r->finish != Finish::error) remember(*r);
    if (r->finish != Finish::none) release(*r);
  }
  std::erase_if(running_, [](const auto& r) { return r->finish != Finish::none; });
  (read ? stats_.prompt_seconds : stats_.generation_seconds) +=
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void Generator::score(std::span<const int32_t> tokens, size_t first,
                      const std::function<bool(size_t, std::span<const float>)>& f) {
  check(tokens);
  if (static_cast<int64_t>(tokens.size()) > plan_.context)
    throw Error(Status::bad_argument, "text: expected at most the context's " + std::to_string(plan_.context) +
                                          " tokens, found " + std::to_string(tokens.size()));
  Request request;
  request.prompt.assign(tokens.begin(), tokens.end());
  Running r(0, std::move(request), nullptr, plan_.context, vocabulary_);
  struct Release {
    Generator& generator;
    Running& running;
    ~Release() { generator.release(running); }
  } at_end{*this, r};
  while (r.pending() > 0) {
    ids_.clear();
    texts_.clear();
    const size_t before = r.kept;
    if (!pack_tokens(r, options_.chunk))
      throw Error(Status::bad_argument, "the KV cache is full: other sequences are running");
    Ops::Scope scope(*op_);
    const Tensor x = states();
    for (size_t at = std::max(before, first); at < r.kept;) {
      Ops::Scope inner(*op_);
      std::vector<int64_t> rows;
      for (size_t i = at; i < r.kept && rows.size() < kLogitRows; ++i) rows.push_back(static_cast<int64_t>(i - before));
      const std::span<const float> all = logits(x, rows);
      for (size_t i = 0; i < rows.size(); ++i)
        if (!f(at + i, all.subspan(i * vocabulary_, vocabulary_))) return;
      at += rows.size();
    }
  }
}

}  // namespace quern
