/* Texts to vectors, weights and scores of labels, in calls. Included by quern.h. */
#ifndef QUERN_EMBED_H
#define QUERN_EMBED_H

#include "adapter.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- embeddings ---- */

/* n_threads: 0 for quern_usable_cpus(), else 1 to 1024. */
QUERN_API quern_status quern_session_new(const quern_model* model, int n_threads, quern_session** session);
QUERN_API void quern_session_free(quern_session* session);
QUERN_API int quern_session_threads(const quern_session* session);

/* What becomes of a text that is longer than max_length. */
typedef enum quern_long_texts {
  QUERN_LONG_ERROR = 0,      /* QUERN_BAD_ARGUMENT, which names the text */
  QUERN_LONG_TRUNCATE = 1,   /* its end (its start, where the tokenizer's file says so) is cut off, and it is counted */
  QUERN_LONG_CHUNK_MEAN = 2, /* its pieces of max_length go through alone; their vectors' mean, weighted by tokens */
  QUERN_LONG_CHUNKS = 3      /* a vector for each piece: quern_encode only */
} quern_long_texts;

/* What became of one text of a call. */
typedef struct quern_text_info {
  uint32_t tokens;  /* after truncation, special ones included */
  uint32_t dropped; /* tokens that truncation cut */
  int repaired;     /* 1: it had invalid UTF-8, read as U+FFFD */
} quern_text_info;

/* The poolings that options may name: the name of one, NULL out of range. */
QUERN_API const char* quern_pooling_mode(size_t i);

typedef struct quern_embed_options {
  size_t size;
  const char* pooling; /* NULL: the model's; else one of quern_pooling_mode */
  int normalize;       /* -1: the model's; 0: never; 1: to length 1 */
  int64_t dimensions;  /* 0: all; else vectors are cut to so many, and normalized again if they were */
  const char*
      prompt; /* put before every text ("": nothing); NULL: what the next two say, else the model's default prompt */
  int64_t max_length;           /* 0: the model's; else the limit of a text's tokens, special ones included */
  int long_texts;               /* quern_long_texts; QUERN_LONG_TRUNCATE by default */
  int64_t first_text;           /* the number that error messages give to the first text: 1 by default */
  const char* prompt_name;      /* NULL, or the name of one of the model's prompts */
  const char* input_type;       /* NULL, or query or document: the model's prompt for such texts, where it has one */
  int64_t overlap;              /* tokens that neighbouring pieces of a long text share: 0 by default */
  quern_text_info* info;        /* NULL, or room for one entry per text, which the call fills in */
  const quern_adapter* adapter; /* NULL, or what all texts go through with */
  const quern_adapter* const* adapters; /* NULL, or one for each text, NULL among them for none; in place of adapter */
  double pool_factor; /* of documents' token vectors: the mean of clusters of so many, by Ward's method, in place of what the
                       * model does; 1: none, 0: the model's, the default */
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
QUERN_API quern_status quern_embed_width(quern_session* session, const quern_embed_options* options, int64_t* width);

/* Vectors of n texts.
 *
 * texts    n pointers; text i has lengths[i] bytes.
 * options  may be NULL.
 * out      n rows of quern_embed_width floats, in the texts' order; out_len is its capacity in floats, too small is
 *          QUERN_BAD_ARGUMENT. A row is the same to the bit whatever the other texts, their order and the number of
 * threads. stats    may be NULL; counts are added to what it holds. On failure `out` is unspecified. */
QUERN_API quern_status quern_embed(quern_session* session, const char* const* texts, const size_t* lengths, size_t n,
                                   const quern_embed_options* options, float* out, size_t out_len,
                                   quern_embed_stats* stats);

/* As quern_embed, from token ids: text i is the lengths[i] ids at ids[i], special tokens included; no prompt is put
 * before it. An id that the model does not have is QUERN_BAD_ARGUMENT. */
QUERN_API quern_status quern_embed_ids(quern_session* session, const int32_t* const* ids, const size_t* lengths,
                                       size_t n, const quern_embed_options* options, float* out, size_t out_len,
                                       quern_embed_stats* stats);

/* ---- several outputs from one pass ---- */

typedef struct quern_encoded quern_encoded;
/* outputs: what is wanted of quern_model_outputs' DENSE, SPARSE and MULTI_VECTOR, or-ed, and QUERN_STATES, which every
 * model with hidden states has. options and stats as in quern_embed; pooling, normalize and dimensions are about dense
 * vectors. Free *encoded with quern_encoded_free. */
QUERN_API quern_status quern_encode(quern_session* session, const char* const* texts, const size_t* lengths, size_t n,
                                    const quern_embed_options* options, unsigned outputs, quern_encoded** encoded,
                                    quern_embed_stats* stats);
QUERN_API void quern_encoded_free(quern_encoded* encoded);
/* Of text i < n; pointers are valid until `encoded` is freed. What was not asked for has no rows.
 * dense: *rows vectors, one, or, with QUERN_LONG_CHUNKS, one for each piece.
 * sparse: how many ids and weights there are, by falling weight; all weights are above 0.
 * multi_vector: *rows vectors of *width values, one for each token: of bge-m3 for each but the first; of late-interaction models
 * (ColBERT), where input_type says query or document, as the model treats these (prompt, length, expansion, tokens without one).
 * states: *rows vectors of *width values, one for each token, special ones too, as they are. */
QUERN_API const float* quern_encoded_dense(const quern_encoded* encoded, size_t i, size_t* rows, size_t* width);
QUERN_API size_t quern_encoded_sparse(const quern_encoded* encoded, size_t i, const int32_t** ids,
                                      const float** weights);
QUERN_API const float* quern_encoded_multi_vector(const quern_encoded* encoded, size_t i, size_t* rows, size_t* width);
QUERN_API const float* quern_encoded_states(const quern_encoded* encoded, size_t i, size_t* rows, size_t* width);

/* ---- classification and reranking ---- */

typedef struct quern_classify_options {
  size_t size;
  int raw;            /* 1: scores before the model's activation (logits); 0: after it */
  int64_t max_length; /* 0: the model's; else the limit of a text's or pair's tokens */
  int long_texts; /* QUERN_LONG_ERROR or QUERN_LONG_TRUNCATE, which cuts the longer text of a pair first; the default */
  int64_t first_text;                   /* as in quern_embed_options */
  quern_text_info* info;                /* likewise */
  const quern_adapter* adapter;         /* likewise */
  const quern_adapter* const* adapters; /* likewise */
  const char* prompt; /* what rerankers are told of the task (their instruction); of other models put before the text,
                       * or a pair's first. NULL: prompt_name decides */
  const char* prompt_name; /* one of the model's prompts; NULL: its default, if it has one */
} quern_classify_options;
QUERN_API quern_classify_options quern_classify_options_default(void);

/* Scores of all labels for n texts, or, where pairs is not NULL, for the pairs (texts[i], pairs[i]). scores: n rows of
 * quern_model_labels floats; scores_len: its capacity in floats. stats may be NULL. */
QUERN_API quern_status quern_classify(quern_session* session, const char* const* texts, const size_t* lengths,
                                      const char* const* pairs, const size_t* pair_lengths, size_t n,
                                      const quern_classify_options* options, float* scores, size_t scores_len,
                                      quern_embed_stats* stats);

/* How well each of n texts answers the query, by a model with one label (a cross-encoder), or by one of token vectors (MaxSim):
 * n scores, higher is better. Of the latter, options' prompts are the query's, max_length the texts'. */
QUERN_API quern_status quern_rerank(quern_session* session, const char* query, size_t query_length,
                                    const char* const* texts, const size_t* lengths, size_t n,
                                    const quern_classify_options* options, float* scores, quern_embed_stats* stats);

/* Labels that the model was not trained on, as transformers' zero-shot-classification pipeline scores them: by a model
 * of natural language inference (a label of it begins with "entail"), whose answer to the hypothesis about each label
 * counts. scores: n rows of n_labels floats. */
typedef struct quern_zero_shot_options {
  size_t size;
  const char* hypothesis; /* a sentence with {} where the label goes; NULL: "This example is {}." */
  int multi_label;        /* 1: each label is true or not for itself; 0: the scores of a text are shares of 1 */
} quern_zero_shot_options;
QUERN_API quern_zero_shot_options quern_zero_shot_options_default(void);
QUERN_API quern_status quern_zero_shot(quern_session* session, const char* const* texts, const size_t* lengths,
                                       size_t n, const char* const* labels, size_t n_labels,
                                       const quern_zero_shot_options* zero_shot, const quern_classify_options* options,
                                       float* scores, size_t scores_len, quern_embed_stats* stats);
/* The same from logits (raw scores of all of the model's labels, by quern_classify or a scheduler) of each text with
 * each label's hypothesis in turn: n texts by n_labels by quern_model_labels floats. */
QUERN_API quern_status quern_zero_shot_scores(const quern_model* model, const float* logits, size_t n, size_t n_labels,
                                              int multi_label, float* scores);

typedef struct quern_span {
  size_t begin, end; /* bytes of the text */
  int64_t label;     /* its most probable one */
  float score;       /* of the label; of several tokens the mean */
} quern_span;
typedef struct quern_spans quern_spans;
/* The labelled parts of n texts (named entities). grouped: 1: tokens side by side with one label are one span, where B-
 * begins another, and spans of the label "O" are left out; 0: one span per token, special tokens left out. Free with
 * quern_spans_free. */
QUERN_API quern_status quern_classify_tokens(quern_session* session, const char* const* texts, const size_t* lengths,
                                             size_t n, const quern_classify_options* options, int grouped,
                                             quern_spans** spans, quern_embed_stats* stats);
QUERN_API void quern_spans_free(quern_spans* spans);
/* Those of text i < n, in order; *count of them. */
QUERN_API const quern_span* quern_spans_of(const quern_spans* spans, size_t i, size_t* count);

#ifdef __cplusplus
}
#endif
#endif
