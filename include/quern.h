/* quern: Hugging Face text models on ordinary CPUs. The whole public surface; C99.
 *
 * Errors   Every function that can fail returns a quern_status; quern_last_error() then says what happened in one sentence
 *          (the file or field, what was expected, what was found). The library never prints, exits or aborts.
 * Threads  A quern_model is immutable: any number of threads and sessions may use one. A quern_session belongs to one caller
 *          at a time. The last error is kept per thread.
 * Memory   What a function hands out is freed by the matching _free function, which takes NULL too. Texts are UTF-8, need no
 *          terminator and may hold NUL bytes; invalid sequences are read as U+FFFD and counted. File names are NUL-terminated.
 * Versions Option structs begin with their size and are filled in by their _default function, so that fields can be added.
 *
 * QUERN_ISA in the environment forces the kernels of one instruction set (scalar, avx2, avx_vnni, avx512_vnni, neon,
 * neon_i8mm), and QUERN_BACKEND the library for matrix products (native; openblas for f32; onednn for q8 and bf16). They are
 * to be set before the library is first used; a name that cannot run here is an error that lists what can.
 */
#ifndef QUERN_H
#define QUERN_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define QUERN_API __declspec(dllexport)
#else
#define QUERN_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define QUERN_VERSION_MAJOR 0
#define QUERN_VERSION_MINOR 1
#define QUERN_VERSION_PATCH 0

typedef enum quern_status {
  QUERN_OK = 0,
  QUERN_BAD_ARGUMENT = 1,  /* wrong use: an option, a name, a size */
  QUERN_NOT_FOUND = 2,     /* a file or folder is missing */
  QUERN_IO = 3,            /* reading or writing failed: disk full, permissions */
  QUERN_BAD_FILE = 4,      /* a file is there, but is not what it should be */
  QUERN_UNSUPPORTED = 5,   /* well-formed, but quern cannot run it */
  QUERN_OUT_OF_MEMORY = 6,
  QUERN_INTERNAL = 7       /* a bug in quern */
} quern_status;

typedef struct quern_model quern_model;
typedef struct quern_session quern_session;

/* "0.1.0" */
QUERN_API const char *quern_version(void);
/* Why the calling thread's last failed call failed; "" before any. Valid until the thread's next failing call. */
QUERN_API const char *quern_last_error(void);
/* The kernels that will run, e.g. "avx512_vnni". NULL when QUERN_ISA names what cannot run here (see quern_last_error). */
QUERN_API const char *quern_isa(void);
/* CPUs that this process may use: affinity and cgroup quota respected. */
QUERN_API int quern_usable_cpus(void);
/* Whose matrix products will run: "native" or what QUERN_BACKEND names. NULL when that is not in this build. */
QUERN_API const char *quern_backend(void);
/* The CPU's name as the operating system tells it. */
QUERN_API const char *quern_cpu(void);
/* Frees a string that this library handed out. */
QUERN_API void quern_string_free(char *string);

/* ---- models ---- */

/* path: a model file made by quern_convert (or llama.cpp, of a supported architecture), a Hugging Face folder with
 * safetensors weights, or a repo id ("org/name" or "org/name@revision") in the local Hub cache. A model file is mapped, not
 * read: loading takes milliseconds, and processes share its memory. */
QUERN_API quern_status quern_model_load(const char *path, quern_model **model);
/* Sessions that still use the model keep it alive. */
QUERN_API void quern_model_free(quern_model *model);
/* The width of its hidden states: of its vectors too, unless pooling modes are concatenated. */
QUERN_API int64_t quern_model_width(const quern_model *model);
/* Tokens of the longest text that it takes by default, special tokens included. */
QUERN_API int64_t quern_model_max_length(const quern_model *model);
/* What it makes: QUERN_DENSE and so on, or-ed. */
typedef enum quern_output {
  QUERN_DENSE = 1,        /* a vector a text: quern_embed, quern_encode */
  QUERN_SPARSE = 2,       /* a weight for each token of the vocabulary that matters to a text (SPLADE, bge-m3): quern_encode */
  QUERN_MULTI_VECTOR = 4, /* a vector a token (ColBERT, bge-m3): quern_encode */
  QUERN_LABELS = 8,       /* scores of labels for a text or a pair of texts: quern_classify, quern_rerank */
  QUERN_TOKEN_LABELS = 16, /* scores of labels for each token: quern_classify_tokens */
  QUERN_TEXT = 32,        /* the tokens that follow a text: quern_generator_new */
  QUERN_STATES = 64       /* never among quern_model_outputs; for quern_encode: the last hidden state of each token */
} quern_output;
QUERN_API unsigned quern_model_outputs(const quern_model *model);
/* Its labels: how many (0 without a classifier), and the name of one, NULL out of range. */
QUERN_API int64_t quern_model_labels(const quern_model *model);
QUERN_API const char *quern_model_label(const quern_model *model, int64_t label);
/* 1 where its source says that vectors may be cut (Matryoshka), else 0. */
QUERN_API int quern_model_matryoshka(const quern_model *model);
/* Everything known about it as one JSON object: format, type, architecture, pipeline, prompts, source, fingerprint, keys,
 * tensors, and for each setting where it came from ("decisions"; a source that begins with "assumed" is nobody's word). Free with
 * quern_string_free. */
QUERN_API quern_status quern_model_describe(const quern_model *model, char **json);

/* What the model's vectors depend on, as a hash of 32 characters: weights, type, tokenizer, pipeline, prompts. Vectors of models
 * with different ones should not be compared. Model files keep it; of other sources the weights are read through once, a second a
 * gigabyte or so. Free with quern_string_free. */
QUERN_API quern_status quern_model_fingerprint(const quern_model *model, char **fingerprint);

/* Runs the self-test that quern_convert kept in a model file: a few texts, whose ids must be the same and whose outputs near the
 * source's f32 ones. *json: {"passed", "least_cosine", "texts": [{"text", "ids_equal", "cosine"}]}; free it with
 * quern_string_free. A test that does not pass is no failure of this call. QUERN_BAD_ARGUMENT for a model without one. */
QUERN_API quern_status quern_model_self_test(const quern_model *model, char **json);

/* ---- tokens ---- */

typedef struct quern_tokenize_options {
  size_t size;
  int add_special;   /* 1: with the special tokens, [CLS] and so on */
  int64_t max_length; /* cut to so many tokens, special ones included; 0: the model's max_length; -1: never cut */
} quern_tokenize_options;
QUERN_API quern_tokenize_options quern_tokenize_options_default(void);

/* Token ids of one text. ids: room for `capacity` of them; *n_ids is how many there are: when it is above capacity nothing is
 * written and the status is QUERN_BAD_ARGUMENT. options may be NULL. */
QUERN_API quern_status quern_tokenize(const quern_model *model, const char *text, size_t length,
                                      const quern_tokenize_options *options, int32_t *ids, size_t capacity, size_t *n_ids);

typedef struct quern_token {
  int32_t id;
  int special;        /* 1: a special token that the tokenizer put in */
  size_t begin, end;  /* bytes of the text; 0, 0 for one that was put in */
  const char *piece;  /* the vocabulary's entry */
} quern_token;
typedef struct quern_tokens quern_tokens;
/* The same with where each token lies in the text. Free with quern_tokens_free. */
QUERN_API quern_status quern_tokenize_parts(const quern_model *model, const char *text, size_t length,
                                            const quern_tokenize_options *options, quern_tokens **tokens);
QUERN_API void quern_tokens_free(quern_tokens *tokens);
QUERN_API const quern_token *quern_tokens_of(const quern_tokens *tokens, size_t *count);

typedef struct quern_detokenize_options {
  size_t size;
  int skip_special; /* 1: special tokens leave no text; 0: they do */
} quern_detokenize_options;
QUERN_API quern_detokenize_options quern_detokenize_options_default(void); /* skip_special 1 */

/* The text of token ids: *text holds *length bytes of UTF-8 and a terminator; free it with quern_string_free. Ids that the
 * tokenizer does not have leave no text. options may be NULL. */
QUERN_API quern_status quern_detokenize(const quern_model *model, const int32_t *ids, size_t n,
                                        const quern_detokenize_options *options, char **text, size_t *length);

/* The same while ids are still coming. All parts together are what quern_detokenize makes of all ids; each part is whole
 * characters and may be empty. A decoder keeps its model alive and belongs to one caller at a time. */
typedef struct quern_decoder quern_decoder;
QUERN_API quern_status quern_decoder_new(const quern_model *model, const quern_detokenize_options *options,
                                         quern_decoder **decoder);
QUERN_API void quern_decoder_free(quern_decoder *decoder);
/* *text: `length` bytes and a terminator, valid until the decoder's next call. */
QUERN_API quern_status quern_decoder_push(quern_decoder *decoder, const int32_t *ids, size_t n, const char **text,
                                          size_t *length);
/* What was held back. After it the decoder begins a new text. */
QUERN_API quern_status quern_decoder_finish(quern_decoder *decoder, const char **text, size_t *length);

/* ---- embeddings ---- */

/* n_threads: 0 for quern_usable_cpus(), else 1 to 1024. */
QUERN_API quern_status quern_session_new(const quern_model *model, int n_threads, quern_session **session);
QUERN_API void quern_session_free(quern_session *session);
QUERN_API int quern_session_threads(const quern_session *session);

/* What becomes of a text that is longer than max_length. */
typedef enum quern_long_texts {
  QUERN_LONG_ERROR = 0,      /* QUERN_BAD_ARGUMENT, which names the text */
  QUERN_LONG_TRUNCATE = 1,   /* its end is cut off, and it is counted */
  QUERN_LONG_CHUNK_MEAN = 2, /* its pieces of max_length go through alone; their vectors' mean, weighted by tokens */
  QUERN_LONG_CHUNKS = 3      /* a vector for each piece: quern_encode only */
} quern_long_texts;

/* What became of one text of a call. */
typedef struct quern_text_info {
  uint32_t tokens;  /* after truncation, special ones included */
  uint32_t dropped; /* tokens that truncation cut */
  int repaired;     /* 1: it had invalid UTF-8, read as U+FFFD */
} quern_text_info;

typedef struct quern_embed_options {
  size_t size;
  const char *pooling;  /* NULL: the model's; else cls, max, mean, mean_sqrt_len_tokens, weightedmean or last */
  int normalize;        /* -1: the model's; 0: never; 1: to length 1 */
  int64_t dimensions;   /* 0: all; else vectors are cut to so many, and normalized again if they were */
  const char *prompt;   /* put before every text ("": nothing); NULL: what the next two say, else the model's default prompt */
  int64_t max_length;   /* 0: the model's; else the limit of a text's tokens, special ones included */
  int long_texts;       /* quern_long_texts; QUERN_LONG_TRUNCATE by default */
  int64_t first_text;   /* the number that error messages give to the first text: 1 by default */
  const char *prompt_name; /* NULL, or the name of one of the model's prompts */
  const char *input_type;  /* NULL, or query or document: the model's prompt for such texts, where it has one */
  int64_t overlap;         /* tokens that neighbouring pieces of a long text share: 0 by default */
  quern_text_info *info;   /* NULL, or room for one entry a text, which the call fills in */
} quern_embed_options;
QUERN_API quern_embed_options quern_embed_options_default(void);

typedef struct quern_embed_stats {
  uint64_t texts;
  uint64_t tokens;    /* after truncation, special ones included */
  uint64_t truncated; /* texts that were cut */
  uint64_t repaired;  /* texts with invalid UTF-8, read as U+FFFD */
  uint64_t chunked;   /* texts that went through in pieces */
} quern_embed_stats;

/* Floats of one vector under these options. */
QUERN_API quern_status quern_embed_width(quern_session *session, const quern_embed_options *options, int64_t *width);

/* Vectors of n texts.
 *
 * texts    n pointers; text i has lengths[i] bytes.
 * options  may be NULL.
 * out      n rows of quern_embed_width floats, in the texts' order; out_len is its capacity in floats, too small is
 *          QUERN_BAD_ARGUMENT. A row is the same to the bit whatever the other texts, their order and the number of threads.
 * stats    may be NULL; counts are added to what it holds.
 * On failure `out` is unspecified. */
QUERN_API quern_status quern_embed(quern_session *session, const char *const *texts, const size_t *lengths, size_t n,
                                   const quern_embed_options *options, float *out, size_t out_len,
                                   quern_embed_stats *stats);

/* As quern_embed, from token ids: text i is the lengths[i] ids at ids[i], special tokens included; no prompt is put before
 * it. An id that the model does not have is QUERN_BAD_ARGUMENT. */
QUERN_API quern_status quern_embed_ids(quern_session *session, const int32_t *const *ids, const size_t *lengths, size_t n,
                                       const quern_embed_options *options, float *out, size_t out_len,
                                       quern_embed_stats *stats);

/* ---- several outputs from one pass ---- */

typedef struct quern_encoded quern_encoded;
/* outputs: what is wanted of quern_model_outputs' DENSE, SPARSE and MULTI_VECTOR, or-ed, and QUERN_STATES, which every model with
 * hidden states has. options and stats as in quern_embed; pooling, normalize and dimensions are about dense vectors. Free *encoded
 * with quern_encoded_free. */
QUERN_API quern_status quern_encode(quern_session *session, const char *const *texts, const size_t *lengths, size_t n,
                                    const quern_embed_options *options, unsigned outputs, quern_encoded **encoded,
                                    quern_embed_stats *stats);
QUERN_API void quern_encoded_free(quern_encoded *encoded);
/* Of text i < n; pointers are valid until `encoded` is freed. What was not asked for has no rows.
 * dense: *rows vectors, one, or, with QUERN_LONG_CHUNKS, one for each piece.
 * sparse: how many ids and weights there are, by falling weight; all weights are above 0.
 * multi_vector: *rows vectors of *width values and length 1, one for each token but the first.
 * states: *rows vectors of *width values, one for each token, special ones too, as they are. */
QUERN_API const float *quern_encoded_dense(const quern_encoded *encoded, size_t i, size_t *rows, size_t *width);
QUERN_API size_t quern_encoded_sparse(const quern_encoded *encoded, size_t i, const int32_t **ids, const float **weights);
QUERN_API const float *quern_encoded_multi_vector(const quern_encoded *encoded, size_t i, size_t *rows, size_t *width);
QUERN_API const float *quern_encoded_states(const quern_encoded *encoded, size_t i, size_t *rows, size_t *width);

/* ---- classification and reranking ---- */

typedef struct quern_classify_options {
  size_t size;
  int raw;            /* 1: scores before the model's activation (logits); 0: after it */
  int64_t max_length; /* 0: the model's; else the limit of a text's or pair's tokens */
  int long_texts;     /* QUERN_LONG_ERROR or QUERN_LONG_TRUNCATE, which cuts the longer text of a pair first; the default */
  int64_t first_text; /* as in quern_embed_options */
  quern_text_info *info; /* likewise */
} quern_classify_options;
QUERN_API quern_classify_options quern_classify_options_default(void);

/* Scores of all labels for n texts, or, where pairs is not NULL, for the pairs (texts[i], pairs[i]). scores: n rows of
 * quern_model_labels floats; scores_len: its capacity in floats. stats may be NULL. */
QUERN_API quern_status quern_classify(quern_session *session, const char *const *texts, const size_t *lengths,
                                      const char *const *pairs, const size_t *pair_lengths, size_t n,
                                      const quern_classify_options *options, float *scores, size_t scores_len,
                                      quern_embed_stats *stats);

/* How well each of n texts answers the query, by a model with one label (a cross-encoder): n scores, higher is better. */
QUERN_API quern_status quern_rerank(quern_session *session, const char *query, size_t query_length,
                                    const char *const *texts, const size_t *lengths, size_t n,
                                    const quern_classify_options *options, float *scores, quern_embed_stats *stats);

typedef struct quern_span {
  size_t begin, end; /* bytes of the text */
  int64_t label;     /* its most probable one */
  float score;       /* of the label; of several tokens the mean */
} quern_span;
typedef struct quern_spans quern_spans;
/* The labelled parts of n texts (named entities). grouped: 1: tokens side by side with one label are one span, where B- begins
 * another, and spans of the label "O" are left out; 0: a span a token, special tokens left out. Free with quern_spans_free. */
QUERN_API quern_status quern_classify_tokens(quern_session *session, const char *const *texts, const size_t *lengths,
                                             size_t n, const quern_classify_options *options, int grouped,
                                             quern_spans **spans, quern_embed_stats *stats);
QUERN_API void quern_spans_free(quern_spans *spans);
/* Those of text i < n, in order; *count of them. */
QUERN_API const quern_span *quern_spans_of(const quern_spans *spans, size_t i, size_t *count);

/* ---- generation ---- */

/* A generator goes on with token sequences, several in one pass, and keeps their keys and values. It belongs to one caller at a
 * time and keeps its model alive. */
typedef struct quern_generator quern_generator;

typedef struct quern_generator_options {
  size_t size;
  int n_threads;       /* 0: quern_usable_cpus() */
  int64_t context;     /* tokens of a sequence, prompt and answer together; 0: the model's, but at most 4096 */
  int64_t sequences;   /* that may run at once; 1 by default */
  const char *kv_type; /* how keys and values are kept: f16 (NULL), or i8, which takes half of that */
  uint64_t kv_memory;  /* bytes for them at most, shared by all sequences; 0: as much as all full contexts need */
  int64_t chunk;       /* tokens of prompts in one pass, fewer far into long ones; a quarter, but 32, beside generating sequences; 512 */
  int reuse_prefixes;  /* 1: prompts that begin like earlier ones start behind what is still kept; the default */
} quern_generator_options;
QUERN_API quern_generator_options quern_generator_options_default(void);

/* QUERN_UNSUPPORTED for an encoder. QUERN_BAD_ARGUMENT, before anything is allocated, for a context beyond the model's, or when
 * keys and values do not fit kv_memory or the machine; the message says how much they need. options may be NULL. */
QUERN_API quern_status quern_generator_new(const quern_model *model, const quern_generator_options *options,
                                           quern_generator **generator);
QUERN_API void quern_generator_free(quern_generator *generator);
QUERN_API int64_t quern_generator_context(const quern_generator *generator);   /* tokens of a sequence */
QUERN_API uint64_t quern_generator_kv_bytes(const quern_generator *generator); /* that keys and values may come to */
QUERN_API int quern_generator_threads(const quern_generator *generator);

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
  uint64_t seed;            /* the same seed gives the same text, whatever else runs beside it */
  const int32_t *bias_ids;  /* n_bias token ids and what is added to their logits; -infinity bans a token */
  const float *bias;
  size_t n_bias;
  const char *const *stop;  /* n_stop strings before which the text ends */
  size_t n_stop;
  int include_stop;         /* 1: the stop string is part of the text */
  const char *grammar;      /* GBNF that the text must match, or NULL */
  const char *json_schema;  /* or a JSON schema ("{}": any JSON) */
  int logprobs;             /* -1: none; 0: of each chosen token; 1 to 20: and of so many of the likeliest */
  int speculate;            /* tokens to guess from what came before, 0 to 16: faster where texts repeat, never another text */
  int ignore_end;           /* 1: end-of-generation tokens do not end the text */
} quern_generation_options;
QUERN_API quern_generation_options quern_generation_options_default(void);

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
  const char *text; /* `length` bytes and a terminator: whole characters that can be shown now, of this token and earlier ones */
  size_t length;
  float logprob;    /* of the model's own distribution; NaN unless asked for */
  const quern_token_logprob *top;
  size_t n_top;
  quern_finish finish;
  const char *error;
} quern_token_event;
/* A return of non-zero cancels the sequence: no event follows. Must not call the generator but for quern_generator_cancel. */
typedef int (*quern_on_token)(void *user, const quern_token_event *event);

/* Adds a sequence that goes on with the n ids of a prompt; *sequence is its number. QUERN_BAD_ARGUMENT: no ids, ids that the model
 * does not have, as many as the context has tokens, options out of range, or all sequences are running. options may be NULL. */
QUERN_API quern_status quern_generator_add(quern_generator *generator, const int32_t *ids, size_t n,
                                           const quern_generation_options *options, int64_t *sequence);
/* One pass: a token of each sequence that has read its prompt, and parts of the others' prompts. *running: sequences left. */
QUERN_API quern_status quern_generator_step(quern_generator *generator, quern_on_token on_token, void *user, size_t *running);
QUERN_API quern_status quern_generator_cancel(quern_generator *generator, int64_t sequence);
/* Adds a sequence and takes steps until it ends. A sequence that fails is an error of this call. */
QUERN_API quern_status quern_generate(quern_generator *generator, const int32_t *ids, size_t n,
                                      const quern_generation_options *options, quern_on_token on_token, void *user);

typedef struct quern_generator_stats {
  uint64_t prompt_tokens, reused_tokens;       /* reused: of prompts, that were still kept */
  uint64_t generated_tokens, guessed_tokens;   /* guessed: of those generated, that cost no pass of their own */
  double prompt_seconds, generation_seconds;   /* of passes with and without prompt tokens */
} quern_generator_stats;
QUERN_API quern_status quern_generator_stats_of(const quern_generator *generator, quern_generator_stats *stats);

/* Logits of the tokens of a text from token `first` on: on_logits(user, index, logits, n_logits) for each in order; non-zero
 * stops. What follows token `index` is distributed as they say. */
QUERN_API quern_status quern_generator_score(quern_generator *generator, const int32_t *ids, size_t n, size_t first,
                                             int (*on_logits)(void *user, size_t index, const float *logits, size_t n_logits),
                                             void *user);

typedef struct quern_perplexity_result {
  uint64_t tokens;     /* that were predicted */
  double perplexity, error; /* exp of the mean of -log p, and its standard error */
  double kl_mean, kl_max;   /* divergence from the reference's distribution, nats */
  double same_top;          /* share of tokens where both hold the same one for the likeliest */
  double reference_perplexity;
} quern_perplexity_result;
/* Perplexity of a text in windows of `window` tokens that do not overlap, the second half of each predicted. reference: a
 * generator of a model with the same vocabulary, or NULL. progress: as in quern_convert_options, windows; may be NULL. */
QUERN_API quern_status quern_generator_perplexity(quern_generator *generator, const char *text, size_t length, int64_t window,
                                                  quern_generator *reference,
                                                  int (*progress)(void *user, double done, double total, double perplexity),
                                                  void *user, quern_perplexity_result *result);

/* Whether the model has a chat template. */
QUERN_API int quern_model_has_chat(const quern_model *model);
/* The prompt of a conversation by the model's chat template: *ids holds *n of them; free with quern_ids_free. conversation: a JSON
 * object {"messages": [{"role", "content"}, …], "add_generation_prompt": true, "tools": …}, or the array of messages alone; members
 * that are not there get their usual values, others are the template's own variables. Text of messages never becomes a control
 * token. QUERN_BAD_ARGUMENT for what the template refuses. */
QUERN_API quern_status quern_chat_tokens(const quern_model *model, const char *conversation, size_t length, int32_t **ids,
                                         size_t *n);
/* The same as text, for reading. Free with quern_string_free. */
QUERN_API quern_status quern_chat_text(const quern_model *model, const char *conversation, size_t length, char **text);
QUERN_API void quern_ids_free(int32_t *ids);

/* ---- measuring ---- */

/* What a text of n_tokens costs, in multiply-accumulates: `products` by the weights of its layers, `attention` between its
 * tokens. Either may be NULL. */
QUERN_API quern_status quern_model_macs(const quern_model *model, int64_t n_tokens, double *products, double *attention);
/* Runs the instruction set's fastest exact 8-bit dot product on registers alone, on all of the session's threads, for about
 * `seconds` (0 to 60): multiply-accumulates per second that no 8-bit product on this machine can pass just now. */
QUERN_API quern_status quern_session_limit(quern_session *session, double seconds, double *macs_per_second);

/* Bytes of weights that a pass over one token reads, and that keys and values of one token take (0 for encoders). Either may be
 * NULL. */
QUERN_API quern_status quern_model_token_bytes(const quern_model *model, uint64_t *weights, uint64_t *kept);
/* Reads memory far beyond the caches with all of the generator's threads for about `seconds` (0 to 60): bytes per second that no
 * pass over weights can exceed just now. */
QUERN_API quern_status quern_generator_bandwidth(quern_generator *generator, double seconds, double *bytes_per_second);

/* ---- conversion ---- */

/* The weight types that quern_convert writes: the name of one, NULL out of range. */
QUERN_API const char *quern_written_type(size_t i);

typedef struct quern_convert_options {
  size_t size;
  const char *type;        /* one of quern_written_type; NULL: from the output's name (minilm.q8), else q8 */
  const char *calibration; /* a file of texts, one a line, that smoothing and rounding are fitted to; NULL: built-in ones */
  int n_threads;           /* 0: quern_usable_cpus() */
  const char *self_test;   /* NULL, or a text whose ids and vector are kept in the file besides the built-in ones */
  /* Called now and then with the work done of the whole, both in the same unit; a return of non-zero cancels. May be NULL. */
  int (*progress)(void *user, double done, double total, const char *what);
  void *user;
} quern_convert_options;
QUERN_API quern_convert_options quern_convert_options_default(void);

/* Converts a Hugging Face folder (or a repo id in the local Hub cache) to a model file. Written under a temporary name and
 * renamed at the end: `output` is never half a file. options may be NULL. */
QUERN_API quern_status quern_convert(const char *folder, const char *output, const quern_convert_options *options);

#ifdef __cplusplus
}
#endif
#endif
