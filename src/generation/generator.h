// Sequences that a decoder goes on with, several in one pass. Knows tokens; text_generator.h makes text of them.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "adapters/adapter.h"
#include "error.h"
#include "generation/bandwidth.h"
#include "generation/drafter.h"
#include "generation/memory_promise.h"
#include "generation/page_pool.h"
#include "kv_cache.h"
#include "loaded_model.h"
#include "parallel.h"
#include "sampling/sampler.h"

namespace quern {

struct GeneratorOptions {
  int threads = 0;        // 0: as many as this process may use
  int64_t context = 0;    // tokens of a sequence, prompt and answer; 0: the model's, but at most 4096
  int64_t sequences = 1;  // that may run at once
  KvType kv_type = KvType::f16;
  uint64_t kv_memory = 0;  // bytes that kept keys and values may take; 0: what `sequences` full contexts need, or what
                           // memory there is, if that is less
  int64_t chunk = 512;     // tokens of prompts in one pass, fewer where they follow long ones, which takes more time; a
                           // quarter of it, but 32, while others are generating
  bool reuse_prefixes = true;  // prompts that begin like earlier ones skip what is still kept
};

constexpr int64_t kLeastContext = 512;
// Memory for keys and values beside a model's weights and what other generators of this process were promised, with
// some left for a pass's own values and whatever else runs. UINT64_MAX: not known.
uint64_t kv_room(const LoadedModel& model);

// The memory of `pages` pages and what it is for; made before anything is allocated.
struct KvPlan {
  int64_t pages = 0, context = 0;
  uint64_t page_bytes = 0;
  uint64_t bytes() const { return page_bytes * static_cast<uint64_t>(pages); }
  int64_t tokens() const { return pages * kPageTokens; }  // that there is room for, of all sequences together
  // room: memory for them where options.kv_memory is 0, as kv_room() has it. A context that nobody asked for becomes as
  // short as it lets one be, down to kLeastContext. Throws Error{bad_argument} when the context is beyond the model's,
  // or kv_memory or the room hold less than one context, saying how much is needed; {unsupported} for a model that is
  // no decoder.
  static KvPlan of(const LoadedModel& model, const GeneratorOptions& options, uint64_t room);
  static KvPlan of(const LoadedModel& model, const GeneratorOptions& options);
};

enum class Finish : uint8_t { none, end, length, error };  // end: an end-of-generation token came

struct Request {
  std::vector<int32_t> prompt;  // not empty
  int64_t max_tokens = -1;      // to generate; -1: until the context is full
  SamplingOptions sampling;
  bool ignore_end = false;                                 // end-of-generation tokens do not end it
  int speculate = 0;                                       // draft tokens in a pass; never changes what is generated
  std::function<std::unique_ptr<Drafter>()> make_drafter;  // what proposes them; null: prompt lookup
  // Kept prefixes are shared between sequences of one key alone: what else than tokens keys and values depend on, or
  // whose they are.
  uint64_t prefix_key = 0;
  std::shared_ptr<const Adapter> adapter = nullptr;  // of the generator's model; has kept prefixes of its own
};

// What came of a sequence in one step. token -1: none, the sequence only ended.
struct Generated {
  int64_t sequence;
  int32_t token;
  float logprob;
  std::vector<std::pair<int32_t, float>> top;
  Finish finish;
  std::string error;  // of Finish::error
  Status status = Status::ok;
};

struct GeneratorStats {
  uint64_t prompt_tokens = 0, reused_tokens = 0, generated_tokens = 0,
           accepted_tokens = 0;                       // accepted: draft tokens that were right
  double prompt_seconds = 0, generation_seconds = 0;  // of steps with and without prompt tokens
};

// Belongs to one caller at a time. What a sequence generates does not depend on the others, nor on the threads, nor on
// how its prompt is cut into chunks, to the bit; nor on prefixes that were kept.
class Generator {
 public:
  Generator(std::shared_ptr<const LoadedModel> model, const GeneratorOptions& options);
  ~Generator();

  const LoadedModel& model() const { return *model_; }
  int64_t context() const { return plan_.context; }
  const KvPlan& plan() const { return plan_; }
  int threads() const { return pool_.size(); }

  // The number of a new sequence. Throws Error{bad_argument}: an empty prompt, ids that the model has not, a prompt
  // that fills the context, options out of range, or more sequences than may run.
  // grammar: what the answer must match; null: anything may come.
  int64_t add(Request request, std::unique_ptr<GrammarState> grammar = nullptr);
  void cancel(int64_t sequence);  // of a running one; others are ignored
  size_t running() const { return running_.size(); }
  bool runs(int64_t sequence) const;
  // One pass: a token of each sequence that has read its prompt, and parts of the prompts of others, as prompt_shares
  // has them. Appends to `out`. A sequence that fails ends with Finish::error, and the others go on. Throws Error only
  // for what concerns all.
  void step(std::vector<Generated>& out);

  // Logits of every token of a text from `first` on, in order: f(index of the token, logits), from this thread; false
  // stops. The text goes through alone and leaves nothing kept. Throws as add().
  void score(std::span<const int32_t> tokens, size_t first,
             const std::function<bool(size_t index, std::span<const float> logits)>& f);

  double bandwidth(double seconds) { return read_bandwidth(pool_, seconds); }

  const GeneratorStats& stats() const { return stats_; }

 private:
  struct Running;
  void check(std::span<const int32_t> prompt) const;
  bool reserve(Running& r, int64_t tokens);
  void reuse(Running& r);
  void remember(Running& r);
  void release(Running& r);
  bool pack_tokens(Running& r, int64_t most);
  bool pack(std::vector<Generated>& out);
  Tensor states();
  std::span<const float> logits(const Tensor& states, std::span<const int64_t> rows);
  void choose(Running& r, std::span<const float> logits, std::vector<Generated>& out);
  bool take(Running& r, const Sampler::Choice& choice, std::vector<Generated>& out);
  void fail(Running& r, const Error& error, std::vector<Generated>& out);

  std::shared_ptr<const LoadedModel> model_;
  LanguageHead head_;
  size_t vocabulary_;
  GeneratorOptions options_;
  KvPlan plan_;
  MemoryPromise promise_;
  int64_t touched_ = 0;  // of the pages, which are given out from the first on
  Pool pool_;
  std::unique_ptr<Ops> op_;
  std::unique_ptr<KvCache> cache_;
  PagePool pages_;
  std::vector<std::unique_ptr<Running>> running_;
  int64_t next_ = 1;
  double attention_cost_;  // time to attend to one token, of that of a token's products with the weights
  GeneratorStats stats_;
  // Of the pass that is being put together.
  std::vector<int32_t> ids_;
  std::vector<Sequence> texts_;
  std::vector<Running*> in_pass_;  // whose the texts are
  std::vector<float> room_;        // of its logits, where they do not lie in the host's memory
};

}  // namespace quern
