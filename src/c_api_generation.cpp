// include/quern.h over the library: generating text.
#include "c_api_generation.h"

#include <algorithm>
#include <cmath>

#include "c_api_adapter.h"
#include "generation/bandwidth.h"
#include "generation/kv_types.h"
#include "generation/perplexity.h"

using quern::Error;
using quern::Status;
using quern::c_api::guard;
using quern::c_api::merged;
using quern::c_api::require;
using quern::c_api::text_request_of;

struct quern_generator {
  quern::TextGenerator rep;
  std::vector<quern::TextEvent> events;
  quern::c_api::EventView view;
};

namespace quern::c_api {

GeneratorOptions generator_options_of(const quern_generator_options* given) {
  const quern_generator_options o = merged(given, quern_generator_options_default());
  require(o.n_threads >= 0 && o.n_threads <= 1024, "n_threads: expected 0 (all that are usable) to 1024");
  require(o.chunk >= 1 && o.chunk <= 65536, "chunk: expected 1 to 65536 tokens");
  return {.threads = o.n_threads,
          .context = o.context,
          .sequences = o.sequences,
          .kv_type = o.kv_type ? kv_type_of(o.kv_type) : KvType::f16,
          .kv_memory = o.kv_memory,
          .chunk = o.chunk,
          .reuse_prefixes = o.reuse_prefixes != 0};
}

TextRequest text_request_of(const quern_generation_options* given, std::span<const int32_t> ids) {
  const quern_generation_options o = merged(given, quern_generation_options_default());
  require(o.n_bias == 0 || (o.bias_ids && o.bias), "bias_ids and bias must not be NULL where n_bias is not 0");
  require(o.n_stop == 0 || o.stop, "stop must not be NULL where n_stop is not 0");
  TextRequest r;
  r.prompt.assign(ids.begin(), ids.end());
  r.max_tokens = o.max_tokens;
  SamplingOptions& s = r.sampling;
  s.temperature = o.temperature;
  s.top_k = o.top_k;
  s.top_p = o.top_p;
  s.min_p = o.min_p;
  s.typical_p = o.typical_p;
  s.repetition_penalty = o.repetition_penalty;
  s.penalty_last_n = o.penalty_last_n;
  s.frequency_penalty = o.frequency_penalty;
  s.presence_penalty = o.presence_penalty;
  s.seed = o.seed;
  s.logprobs = o.logprobs;
  for (size_t i = 0; i < o.n_bias; ++i) s.logit_bias.emplace_back(o.bias_ids[i], o.bias[i]);
  for (size_t i = 0; i < o.n_stop; ++i) {
    require(o.stop[i], "stop: a string is NULL");
    r.stop.emplace_back(o.stop[i]);
  }
  r.include_stop = o.include_stop != 0;
  if (o.grammar) r.grammar = o.grammar;
  if (o.json_schema) r.json_schema = o.json_schema;
  r.speculate = o.speculate;
  r.ignore_end = o.ignore_end != 0;
  require(o.n_shown == 0 || o.shown_ids, "shown_ids must not be NULL where n_shown is not 0");
  r.shown.assign(o.shown_ids, o.shown_ids + o.n_shown);
  if (o.adapter) r.adapter = o.adapter->rep;
  return r;
}

quern_generator_stats stats_of(const GeneratorStats& s) {
  return {s.prompt_tokens,   s.reused_tokens,  s.generated_tokens,
          s.accepted_tokens, s.prompt_seconds, s.generation_seconds};
}

const quern_token_event& EventView::of(const TextEvent& e, int64_t sequence) {
  constexpr quern_finish kinds[] = {QUERN_FINISH_NONE, QUERN_FINISH_END, QUERN_FINISH_LENGTH, QUERN_FINISH_ERROR};
  top_.clear();
  for (const auto& [id, logprob] : e.token.top) top_.push_back({id, logprob});
  return event_ = {.sequence = sequence,
                   .token = e.token.token,
                   .text = e.text.c_str(),
                   .length = e.text.size(),
                   .logprob = e.token.logprob,
                   .top = top_.data(),
                   .n_top = top_.size(),
                   .finish = e.stopped ? QUERN_FINISH_STOP : kinds[static_cast<size_t>(e.token.finish)],
                   .error = e.token.error.empty() ? nullptr : e.token.error.c_str(),
                   .status = static_cast<quern_status>(e.token.status)};
}

}  // namespace quern::c_api

namespace {

// One pass; events to the callback. The error of `watched`, where it failed.
std::string step(quern_generator& g, quern_on_token on_token, void* user, int64_t watched) {
  std::string error;
  g.events.clear();
  g.rep.step(g.events);
  std::vector<int64_t> cancelled;
  for (const quern::TextEvent& e : g.events) {
    const quern::Generated& token = e.token;
    if (token.sequence == watched && token.finish == quern::Finish::error) error = token.error;
    if (!on_token || std::find(cancelled.begin(), cancelled.end(), token.sequence) != cancelled.end()) continue;
    const quern_token_event& event = g.view.of(e, token.sequence);
    if (on_token(user, &event) != 0) {
      cancelled.push_back(token.sequence);
      g.rep.cancel(token.sequence);
    }
  }
  return error;
}

}  // namespace

quern_generator_options quern_generator_options_default(void) {
  return {.size = sizeof(quern_generator_options),
          .n_threads = 0,
          .context = 0,
          .sequences = 1,
          .kv_type = nullptr,
          .kv_memory = 0,
          .chunk = 512,
          .reuse_prefixes = 1};
}

quern_status quern_generator_new(const quern_model* model, const quern_generator_options* options,
                                 quern_generator** generator) {
  return guard([&] {
    require(model && generator, "quern_generator_new: model and generator must not be NULL");
    *generator = nullptr;
    *generator = new quern_generator{{model->rep, quern::c_api::generator_options_of(options)}, {}, {}};
  });
}
void quern_generator_free(quern_generator* generator) {
  delete generator;
}
int64_t quern_generator_context(const quern_generator* generator) {
  return generator ? generator->rep.generator().context() : 0;
}
uint64_t quern_generator_kv_bytes(const quern_generator* generator) {
  return generator ? generator->rep.generator().plan().bytes() : 0;
}
int64_t quern_generator_kv_tokens(const quern_generator* generator) {
  return generator ? generator->rep.generator().plan().tokens() : 0;
}
int quern_generator_threads(const quern_generator* generator) {
  return generator ? generator->rep.generator().threads() : 0;
}
const char* quern_kv_type(int i) {
  return quern::kv_type_name(i);
}

quern_generation_options quern_generation_options_default(void) {
  quern_generation_options o = {};
  o.size = sizeof o;
  o.max_tokens = -1;
  o.temperature = o.top_p = o.typical_p = o.repetition_penalty = 1;
  o.penalty_last_n = o.logprobs = -1;
  return o;
}

quern_generation_options quern_model_generation_options(const quern_model* model) {
  quern_generation_options o = quern_generation_options_default();
  const quern::SamplingDefaults s = model ? model->rep->sampling : quern::SamplingDefaults();
  o.temperature = s.temperature;
  o.top_k = s.top_k;
  o.top_p = s.top_p;
  o.min_p = s.min_p;
  o.repetition_penalty = s.repetition_penalty;
  return o;
}

quern_status quern_generator_add(quern_generator* generator, const int32_t* ids, size_t n,
                                 const quern_generation_options* options, int64_t* sequence) {
  return guard([&] {
    require(generator && (ids || n == 0) && sequence,
            "quern_generator_add: generator, ids and sequence must not be NULL");
    *sequence = generator->rep.add(text_request_of(options, {ids, n}));
  });
}

quern_status quern_generator_step(quern_generator* generator, quern_on_token on_token, void* user, size_t* running) {
  return guard([&] {
    require(generator && running, "quern_generator_step: generator and running must not be NULL");
    step(*generator, on_token, user, 0);
    *running = generator->rep.generator().running();
  });
}

quern_status quern_generator_cancel(quern_generator* generator, int64_t sequence) {
  return guard([&] {
    require(generator, "quern_generator_cancel: generator must not be NULL");
    generator->rep.cancel(sequence);
  });
}

quern_status quern_generate(quern_generator* generator, const int32_t* ids, size_t n,
                            const quern_generation_options* options, quern_on_token on_token, void* user) {
  return guard([&] {
    require(generator && (ids || n == 0), "quern_generate: generator and ids must not be NULL");
    const int64_t sequence = generator->rep.add(text_request_of(options, {ids, n}));
    while (generator->rep.runs(sequence)) {
      const std::string error = step(*generator, on_token, user, sequence);
      if (!error.empty()) throw Error(Status::bad_argument, error);
    }
  });
}

quern_status quern_generator_stats_of(const quern_generator* generator, quern_generator_stats* stats) {
  return guard([&] {
    require(generator && stats, "quern_generator_stats_of: generator and stats must not be NULL");
    *stats = quern::c_api::stats_of(generator->rep.generator().stats());
  });
}

quern_status quern_generator_score(quern_generator* generator, const int32_t* ids, size_t n, size_t first,
                                   int (*on_logits)(void* user, size_t index, const float* logits, size_t n_logits),
                                   void* user) {
  return guard([&] {
    require(generator && ids && on_logits, "quern_generator_score: generator, ids and on_logits must not be NULL");
    generator->rep.generator().score({ids, n}, first, [&](size_t index, std::span<const float> logits) {
      return on_logits(user, index, logits.data(), logits.size()) == 0;
    });
  });
}

quern_status quern_generator_perplexity(quern_generator* generator, const char* text, size_t length, int64_t window,
                                        quern_generator* reference,
                                        int (*progress)(void* user, double done, double total, double perplexity),
                                        void* user, quern_perplexity_result* result) {
  return guard([&] {
    require(generator && text && result, "quern_generator_perplexity: generator, text and result must not be NULL");
    quern::Generator& g = generator->rep.generator();
    quern::Encoding tokens;
    g.model().tokenizer->encode({text, length}, {.add_special = false}, tokens);
    const quern::Perplexity p = quern::measure_perplexity(
        g, tokens.ids, window, quern::first_token(*g.model().tokenizer),
        reference ? &reference->rep.generator() : nullptr, [&](size_t done, size_t total, double so_far) {
          return !progress || progress(user, static_cast<double>(done), static_cast<double>(total), so_far) == 0;
        });
    *result = {p.tokens, p.perplexity, p.error, p.kl_mean, p.kl_max, p.same_top, p.reference_perplexity};
  });
}

quern_status quern_model_token_bytes(const quern_model* model, uint64_t* weights, uint64_t* kept) {
  return guard([&] {
    require(model, "quern_model_token_bytes: model must not be NULL");
    if (weights) *weights = quern::weight_bytes(*model->rep);
    if (kept) *kept = quern::kv_token_bytes(*model->rep, quern::KvType::f16);
  });
}

quern_status quern_generator_bandwidth(quern_generator* generator, double seconds, double* bytes_per_second) {
  return guard([&] {
    require(generator && bytes_per_second && seconds >= 0 && seconds <= 60,
            "quern_generator_bandwidth: generator and bytes_per_second must not be NULL, seconds 0 to 60");
    *bytes_per_second = generator->rep.generator().bandwidth(seconds);
  });
}
