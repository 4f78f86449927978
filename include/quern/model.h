/* Models: loading them, and what they are. Included by quern.h. */
#ifndef QUERN_MODEL_H
#define QUERN_MODEL_H

#include "common.h"

#ifdef __cplusplus
extern "C" {
#endif

/* path: a model file made by quern_convert (or llama.cpp, of a supported architecture), a Hugging Face folder with
 * safetensors weights, or a name (hub.h) whose files are whole in the local Hub cache, as they are: quern_hub_model gives the
 * converted one, and downloads. A model file is mapped, not read: loading takes milliseconds, and processes share its memory. */
QUERN_API quern_status quern_model_load(const char *path, quern_model **model);
/* Where a model's layers run. Fill in with quern_load_options_default, which takes what the environment's QUERN_DEVICE and
 * QUERN_GPU_LAYERS say: cpu and auto where they say nothing. Results are the same wherever a layer runs. */
typedef struct quern_load_options {
  size_t size;            /* of this struct, for later versions */
  const char *device;     /* "cpu"; "cuda" or "cuda:1": that CUDA device or an error; "auto": one where there is any, else the CPU */
  const char *gpu_layers; /* "auto": as many of the last layers as fit; "all"; or a number of them */
} quern_load_options;
QUERN_API quern_load_options quern_load_options_default(void);
/* quern_model_load with options; NULL: the default ones. QUERN_UNSUPPORTED: the device is not to be had, or has no kernels for
 * the model; QUERN_OUT_OF_MEMORY: the layers do not fit, and how many would. quern_model_describe says what lies where. */
QUERN_API quern_status quern_model_load_on(const char *path, const quern_load_options *options, quern_model **model);
/* Sessions that still use the model keep it alive. */
QUERN_API void quern_model_free(quern_model *model);
/* The width of its hidden states. Its vectors may be wider or narrower (several pooling modes, a Dense module, dimensions):
 * quern_embed_width tells. */
QUERN_API int64_t quern_model_width(const quern_model *model);
/* Tokens of the longest text that it takes by default, special tokens included. */
QUERN_API int64_t quern_model_max_length(const quern_model *model);
/* What it makes: QUERN_DENSE and so on, or-ed. */
typedef enum quern_output {
  QUERN_DENSE = 1,        /* one vector per text: quern_embed, quern_encode */
  QUERN_SPARSE = 2,       /* a weight for each token of the vocabulary that matters to a text (SPLADE, bge-m3): quern_encode */
  QUERN_MULTI_VECTOR = 4, /* one vector per token (ColBERT, bge-m3): quern_encode */
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

#ifdef __cplusplus
}
#endif
#endif
