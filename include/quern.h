/* quern: Hugging Face text models on ordinary CPUs. The whole public surface; C99.
 *
 * Errors   Every function that can fail returns a quern_status; quern_last_error() then says what happened in one
 * sentence (the file or field, what was expected, what was found). The library never prints, exits or aborts. Threads
 * A quern_model is immutable: any number of threads and sessions may use one. A quern_session belongs to one caller at
 * a time. The last error is kept per thread. Getters  What returns something else than a status takes NULL for a
 * handle, and numbers out of range: it then returns 0, NULL or
 *          "", and writes 0 or NULL where it has more to say. Places for what is not wanted may be NULL.
 * Memory   What a function hands out is freed by the matching _free function, which takes NULL too. Texts are UTF-8,
 * need no terminator and may hold NUL bytes; invalid sequences are read as U+FFFD and counted. File names are
 * NUL-terminated. Versions Option structs begin with their size and are filled in by their _default function, so that
 * fields can be added.
 *
 * This file includes the parts of include/quern/, which are no use by themselves; #include <quern.h> is enough.
 *
 * QUERN_ISA in the environment forces the kernels of one instruction set (scalar, avx2, avx_vnni, avx512_vnni, neon,
 * neon_i8mm), and QUERN_BACKEND the library for matrix products (native; openblas for f32; onednn for q8 and bf16).
 * They are to be set before the library is first used; a name that cannot run here is an error that lists what can.
 */
#ifndef QUERN_H
#define QUERN_H

#include "quern/adapter.h"
#include "quern/chat.h"
#include "quern/common.h"
#include "quern/convert.h"
#include "quern/embed.h"
#include "quern/generate.h"
#include "quern/hub.h"
#include "quern/measure.h"
#include "quern/model.h"
#include "quern/schedule.h"
#include "quern/search.h"
#include "quern/tokens.h"

#endif
