/* Conversion to model files. Included by quern.h. */
#ifndef QUERN_CONVERT_H
#define QUERN_CONVERT_H

#include "common.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The weight types that quern_convert writes: the name of one, NULL out of range. */
QUERN_API const char* quern_written_type(size_t i);

typedef struct quern_convert_options {
  size_t size;
  const char* type; /* one of quern_written_type; NULL: from the output's name (minilm.q8), else q8 */
  const char*
      calibration; /* a file of texts, one per line, that smoothing and rounding are fitted to; NULL: built-in ones */
  int n_threads;   /* 0: quern_usable_cpus() */
  const char* self_test; /* NULL, or a text whose ids and vector are kept in the file besides the built-in ones */
  /* Called now and then with the work done of the whole, both in the same unit; a return of non-zero cancels. May be
   * NULL. */
  int (*progress)(void* user, double done, double total, const char* what);
  void* user;
  const char* const*
      adapters; /* n_adapters folders of peft's with LoRA adapters, merged into the weights in turn, before rounding */
  const float* adapter_weights; /* NULL: 1 each; else what each adapter's products are multiplied by */
  size_t n_adapters;
  /* Called with what is no error and should still be known: an adapter made for a base model of another name, layers of
   * an adapter that quern does not run. May be NULL. */
  void (*note)(void* user, const char* text);
} quern_convert_options;
QUERN_API quern_convert_options quern_convert_options_default(void);

/* Converts a Hugging Face folder (or a model by name in the local Hub cache) to a model file. Written under a temporary
 * name and renamed at the end: `output` is never half a file. options may be NULL. */
QUERN_API quern_status quern_convert(const char* folder, const char* output, const quern_convert_options* options);

#ifdef __cplusplus
}
#endif
#endif
