/* LoRA adapters beside a model, chosen for each text. Included by quern.h. */
#ifndef QUERN_ADAPTER_H
#define QUERN_ADAPTER_H

#include "model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a folder of peft's (adapter_config.json, adapter_model.safetensors) adds to a model, for the texts and sequences
 * whose options name it: of one call, batch or step each may have another, and its result is the same to the bit
 * whatever is beside it. The model's weights stay what they are, of whatever type. */
typedef struct quern_adapter quern_adapter;

/* path: the folder. QUERN_BAD_FILE where its shapes are not the model's; QUERN_UNSUPPORTED for what is not LoRA and for
 * what only a conversion applies: DoRA, modules_to_save, biases, embeddings, layers behind the transformer's
 * (quern_convert_options.adapters merges them). The adapter keeps the model alive, and what was submitted with it the
 * adapter. */
QUERN_API quern_status quern_adapter_load(const quern_model* model, const char* path, quern_adapter** adapter);
QUERN_API void quern_adapter_free(quern_adapter* adapter);
/* What vectors made with it depend on, the model and the adapter, as quern_model_fingerprint has it of the model alone.
 * Free with quern_string_free. */
QUERN_API quern_status quern_adapter_fingerprint(const quern_adapter* adapter, char** fingerprint);
QUERN_API uint64_t quern_adapter_bytes(const quern_adapter* adapter); /* of memory */
/* What should be known of it and is no error, a sentence each: that it was made for a base model of another name, that
 * it changes layers which quern does not run. NULL behind the last. */
QUERN_API const char* quern_adapter_note(const quern_adapter* adapter, size_t i);

#ifdef __cplusplus
}
#endif
#endif
