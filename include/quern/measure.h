/* What work costs, and what the machine can do. Included by quern.h. */
#ifndef QUERN_MEASURE_H
#define QUERN_MEASURE_H

#include "embed.h"
#include "generate.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a text of n_tokens costs, in multiply-accumulates: `products` by the weights of its layers, `attention` between its
 * tokens. Either may be NULL. */
QUERN_API quern_status quern_model_macs(const quern_model *model, int64_t n_tokens, double *products, double *attention);
/* Runs the instruction set's fastest exact 8-bit dot product on registers alone, on all of the session's threads, for about
 * `seconds` (0 to 60): multiply-accumulates per second that no 8-bit product on this machine can pass just now. */
QUERN_API quern_status quern_session_limit(quern_session *session, double seconds, double *macs_per_second);

/* Bytes of weights that a pass over one token reads, and that keys and values of one token take as f16 (0 for encoders). Either may be
 * NULL. */
QUERN_API quern_status quern_model_token_bytes(const quern_model *model, uint64_t *weights, uint64_t *kept);
/* Reads memory far beyond the caches with all of the generator's threads for about `seconds` (0 to 60): bytes per second that no
 * pass over weights can exceed just now. */
QUERN_API quern_status quern_generator_bandwidth(quern_generator *generator, double seconds, double *bytes_per_second);

#ifdef __cplusplus
}
#endif
#endif
