/* Texts to tokens and back. Included by quern.h. */
#ifndef QUERN_TOKENS_H
#define QUERN_TOKENS_H

#include "model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct quern_tokenize_options {
  size_t size;
  int add_special;   /* 1: with the special tokens, [CLS] and so on */
  int64_t max_length; /* cut to so many tokens, special ones included, on the side that the model's files name; 0: the model's
                       * max_length; -1: never cut */
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
 * characters and may be empty. A detokenizer keeps its model alive and belongs to one caller at a time. */
typedef struct quern_detokenizer quern_detokenizer;
QUERN_API quern_status quern_detokenizer_new(const quern_model *model, const quern_detokenize_options *options,
                                         quern_detokenizer **detokenizer);
QUERN_API void quern_detokenizer_free(quern_detokenizer *detokenizer);
/* *text: `length` bytes and a terminator, valid until the detokenizer's next call. */
QUERN_API quern_status quern_detokenizer_push(quern_detokenizer *detokenizer, const int32_t *ids, size_t n, const char **text,
                                          size_t *length);
/* What was held back. After it the detokenizer begins a new text. */
QUERN_API quern_status quern_detokenizer_flush(quern_detokenizer *detokenizer, const char **text, size_t *length);

#ifdef __cplusplus
}
#endif
#endif
