/* Vectors compared with vectors: exact, a block of them at a time. Included by quern.h. */
#ifndef QUERN_SEARCH_H
#define QUERN_SEARCH_H

#include "common.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How stored vectors' values lie in memory, as quern embed --precision writes them, with nothing between two rows. */
typedef enum quern_value_type {
  QUERN_VALUES_F32 = 0,
  QUERN_VALUES_F16 = 1,
  QUERN_VALUES_INT8 = 2,   /* codes -128 … 127 */
  QUERN_VALUES_UINT8 = 3,  /* codes 0 … 255 */
  QUERN_VALUES_BINARY = 4, /* a bit a value, 1 above 0, eight a byte, the first one highest; each byte less 128 */
  QUERN_VALUES_UBINARY = 5 /* the same, each byte as it is */
} quern_value_type;

typedef enum quern_metric {
  QUERN_DOT = 0,   /* the dot product */
  QUERN_COSINE = 1 /* that by both lengths; 0 where one of them is 0 */
} quern_metric;

typedef struct quern_compare_options {
  size_t size;
  int metric;          /* quern_metric; QUERN_DOT by default. Bits have one: 1 - 2 · (bits that differ) / width */
  int n_threads;       /* 0 for quern_usable_cpus(), else 1 to 1024 */
  int64_t first_row;   /* the number of the first row: 0 by default */
  const float *ranges; /* of int8 and uint8: the least value of each dimension, then the greatest ones, as they were quantized by;
                          NULL: values are their codes */
} quern_compare_options;
QUERN_API quern_compare_options quern_compare_options_default(void);

/* Bytes of n rows of `width` values of this type; 0 for what is no type, a width that has none (bits: a multiple of 8) or too many. */
QUERN_API size_t quern_rows_bytes(int type, size_t n, size_t width);

/* How near each of n rows is to each of the queries: scores[q * n + i].
 *
 * rows     quern_rows_bytes bytes, aligned to their values; may be a mapped file larger than memory.
 * queries  n_queries rows of `width` floats; of these, bits are taken as of the rows.
 * scores   room for n_queries · n floats; scores_len: its capacity in floats.
 * options  may be NULL.
 * A score is the same to the bit whatever the other rows and queries, the CPU and the number of threads. */
QUERN_API quern_status quern_similarities(const void *rows, int type, size_t n, size_t width, const float *queries,
                                          size_t n_queries, const quern_compare_options *options, float *scores,
                                          size_t scores_len);

/* Late interaction (MaxSim): how near each of n_documents, all of their tokens' vectors, is to a query, all of its tokens'.
 *
 * rows    the documents' rows one after the other, as in quern_similarities; document i has counts[i] of them.
 * query   n_query rows of `width` floats.
 * mean    1: a score is the mean of each query row's nearest of the document, 0: their sum. 0 for a document without rows.
 * scores  n_documents floats. */
QUERN_API quern_status quern_max_similarities(const void *rows, int type, const size_t *counts, size_t n_documents,
                                              size_t width, const float *query, size_t n_query, int mean,
                                              const quern_compare_options *options, float *scores);

/* n stored rows as floats, bits as 1 and -1; out: n · width floats. Of options, ranges counts; NULL will do. */
QUERN_API quern_status quern_rows_to_floats(const void *rows, int type, size_t n, size_t width,
                                            const quern_compare_options *options, float *out, size_t out_len);

typedef struct quern_match {
  int64_t row; /* -1: none */
  float score;
} quern_match;

/* The k nearest rows of each query, nearest first; of equal ones the one with the lower number. Scores that are no numbers never
 * match.
 *
 * matches  k for each query, read and written: what they hold takes part, so that a file is searched block by block, with first_row
 *          in the options. All rows are -1 before the first block. */
QUERN_API quern_status quern_top_k(const void *rows, int type, size_t n, size_t width, const float *queries, size_t n_queries,
                                   const quern_compare_options *options, size_t k, quern_match *matches);

#ifdef __cplusplus
}
#endif
#endif
