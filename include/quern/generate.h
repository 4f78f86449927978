/* Generation of text. Included by quern.h. */
#ifndef QUERN_GENERATE_H
#define QUERN_GENERATE_H

#include "adapter.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A generator goes on with token sequences, several in one pass, and keeps their keys and values. It belongs to one
 * caller at a time and keeps its model alive. */
typedef struct quern_generator quern_generator;

typedef struct quern_generator_options {
  size_t size;
  int n_threads;     /* 0: quern_usable_cpus() */
  int64_t context;   /* tokens of a sequence, prompt and answer together; 0: the model's, but at most 4096, fewer where
                        memory is short */
  int64_t sequences; /* that may run at once; 1 by default */
  const char* kv_type; /* how keys and values are kept: one of quern_kv_type; NULL: f16 */
  uint64_t kv_memory;  /* bytes for them at most, shared by all sequences; 0: as much as all full contexts need, but no
                          more than  the machine and its control groups have left beside the weights */
  int64_t chunk;       /* tokens of prompts in one pass, fewer far into long ones; a quarter, but 32, beside generating
                          sequences; 512 */
  int reuse_prefixes;  /* 1: prompts that begin like earlier ones start behind what is still kept; the default */
} quern_generator_options;
QUERN_API quern_generator_options quern_generator_options_default(void);
/* The names of the ways to keep keys and values, from 0: f16, and i8, int8 with a scale for each token and head, in
 * half of the memory and a little; NULL behind the last. */
QUERN_API const char* quern_kv_type(int i);

/* QUERN_UNSUPPORTED for an encoder. QUERN_BAD_ARGUMENT, before anything is allocated, for a context beyond the model's,
 * or when keys and values do not fit kv_memory or the machine; the message says how much they need. options may be
 * NULL. */
QUERN_API quern_status quern_generator_new(const quern_model* model, const quern_generator_options* options,
                                           quern_generator** generator);
QUERN_API void quern_generator_free(quern_generator* generator);
QUERN_API int64_t quern_generator_context(const quern_generator* generator);   /* tokens of a sequence */
QUERN_API uint64_t quern_generator_kv_bytes(const quern_generator* generator); /* that keys and values may come to */
/* Tokens of all sequences together that this is room for: a whole number of pages, of which a sequence takes whole ones
 * too. */
QUERN_API int64_t quern_generator_kv_tokens(const quern_generator* generator);
QUERN_API int quern_generator_threads(const quern_generator* generator);

typedef struct quern_generation_options {
  size_t size;
  int64_t max_tokens;       /* to generate; -1: until the text ends or the context is full; the default */
  float temperature;        /* 0: always the likeliest token; 1 by default */
  int top_k;                /* so many of the likeliest stay; 0: all */
  float top_p;              /* the likeliest that together reach this probability stay; 1: all */
  float min_p;              /* those at least this probable relative to the likeliest stay; 0: all */
  float typical_p;          /* locally typical sampling; 1: all stay */
  float repetition_penalty; /* of tokens among the last penalty_last_n; 1: none */
  int penalty_last_n;       /* -1: all */
  float frequency_penalty, presence_penalty; /* of generated tokens, -2 to 2 */
  uint64_t seed;                             /* the same seed gives the same text, whatever else runs beside it */
  const int32_t* bias_ids; /* n_bias token ids and what is added to their logits; -infinity bans a token */
  const float* bias;
  size_t n_bias;
  const char* const* stop; /* n_stop strings before which the text ends */
  size_t n_stop;
  int include_stop; /* 1: the stop string is part of the text */
  const char*
      grammar; /* GBNF that the text must match, or NULL; beside GBNF's own: %json {schema}, %regex "…", <[id]> */
  const char* json_schema; /* or a JSON schema ("{}": any JSON) */
  int logprobs;            /* -1: none; 0: of each chosen token; 1 to 20: and of so many of the likeliest */
  int speculate;  /* tokens to guess from what came before, 0 to 16: faster where texts repeat, never another text */
  int ignore_end; /* 1: end-of-generation tokens do not end the text */
  const int32_t* shown_ids; /* n_shown special tokens that are part of the text; others leave nothing in it */
  size_t n_shown;
  const quern_adapter*
      adapter; /* NULL, or what the sequence goes through with; kept prefixes are shared within one alone */
} quern_generation_options;
QUERN_API quern_generation_options quern_generation_options_default(void);
/* The same, with the temperature, top_k, top_p, min_p and repetition_penalty that the model's source asks for
 * (generation_config.json); what that leaves open is 0.8, 40, 0.95, 0.05 and 1. */
QUERN_API quern_generation_options quern_model_generation_options(const quern_model* model);

typedef enum quern_finish {
  QUERN_FINISH_NONE = 0,   /* goes on */
  QUERN_FINISH_END = 1,    /* an end-of-generation token, or a grammar that allows no more */
  QUERN_FINISH_LENGTH = 2, /* max_tokens, or the context is full */
  QUERN_FINISH_STOP = 3,   /* a stop string */
  QUERN_FINISH_ERROR = 4   /* this sequence failed: see `error`; others go on */
} quern_finish;

typedef struct quern_token_logprob {
  int32_t token;
  float logprob;
} quern_token_logprob;

/* One token of a sequence, or its end without one. What it points to is valid during the call. */
typedef struct quern_token_event {
  int64_t sequence;
  int32_t token;    /* -1: none */
  const char* text; /* `length` bytes and a terminator: whole characters that can be shown now, of this token and
                       earlier ones */
  size_t length;
  float logprob; /* of the model's own distribution; NaN unless asked for */
  const quern_token_logprob* top;
  size_t n_top;
  quern_finish finish;
  const char* error;
  quern_status
      status; /* of QUERN_FINISH_ERROR; QUERN_BAD_ARGUMENT where it lies in what was asked for, such as a grammar */
} quern_token_event;
/* A return of non-zero cancels the sequence: no event follows. Must not call the generator but for
 * quern_generator_cancel. */
typedef int (*quern_on_token)(void* user, const quern_token_event* event);

/* Adds a sequence that goes on with the n ids of a prompt; *sequence is its number. QUERN_BAD_ARGUMENT: no ids, ids
 * that the model does not have, as many as the context has tokens, options out of range, or all sequences are running.
 * options may be NULL. */
QUERN_API quern_status quern_generator_add(quern_generator* generator, const int32_t* ids, size_t n,
                                           const quern_generation_options* options, int64_t* sequence);
/* One pass: a token of each sequence that has read its prompt, and parts of the others' prompts. *running: sequences
 * left. */
QUERN_API quern_status quern_generator_step(quern_generator* generator, quern_on_token on_token, void* user,
                                            size_t* running);
QUERN_API quern_status quern_generator_cancel(quern_generator* generator, int64_t sequence);
/* Adds a sequence and takes steps until it ends. A sequence that fails is an error of this call. */
QUERN_API quern_status quern_generate(quern_generator* generator, const int32_t* ids, size_t n,
                                      const quern_generation_options* options, quern_on_token on_token, void* user);

typedef struct quern_generator_stats {
  uint64_t prompt_tokens, reused_tokens;      /* reused: of prompts, that were still kept */
  uint64_t generated_tokens, accepted_tokens; /* accepted: of those generated, draft tokens that were right */
  double prompt_seconds, generation_seconds;  /* of passes with and without prompt tokens */
} quern_generator_stats;
QUERN_API quern_status quern_generator_stats_of(const quern_generator* generator, quern_generator_stats* stats);

/* Logits of the tokens of a text from token `first` on: on_logits(user, index, logits, n_logits) for each in order;
 * non-zero stops. What follows token `index` is distributed as they say. */
QUERN_API quern_status quern_generator_score(quern_generator* generator, const int32_t* ids, size_t n, size_t first,
                                             int (*on_logits)(void* user, size_t index, const float* logits,
                                                              size_t n_logits),
                                             void* user);

typedef struct quern_perplexity_result {
  uint64_t tokens;          /* that were predicted */
  double perplexity, error; /* exp of the mean of -log p, and its standard error */
  double kl_mean, kl_max;   /* divergence from the reference's distribution, nats */
  double same_top;          /* share of tokens where both hold the same one for the likeliest */
  double reference_perplexity;
} quern_perplexity_result;
/* Perplexity of a text in windows of `window` tokens that do not overlap, the second half of each predicted. reference:
 * a generator of a model with the same vocabulary, or NULL. progress: as in quern_convert_options, windows; may be
 * NULL. */
QUERN_API quern_status quern_generator_perplexity(quern_generator* generator, const char* text, size_t length,
                                                  int64_t window, quern_generator* reference,
                                                  int (*progress)(void* user, double done, double total,
                                                                  double perplexity),
                                                  void* user, quern_perplexity_result* result);

#ifdef __cplusplus
}
#endif
#endif
