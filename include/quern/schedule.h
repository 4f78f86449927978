/* Schedulers: requests of many threads over one model. Included by quern.h.
 *
 * A scheduler has threads of its own. Requests are submitted from any thread and return at once; a request is done when it
 * has all its results, its deadline passed, it was cancelled, or its scheduler was freed. What is submitted is copied.
 *
 * Results  are waited for (the _wait and _next functions: timeout_ms 0 looks without waiting, -1 waits for any time), or come by
 *          on_ready, or both. A request belongs to one caller at a time, but for its _cancel function, which any thread may call.
 * Errors   Functions that submit return QUERN_OVERLOADED when the scheduler has as many requests as it may: try again later. What
 *          goes wrong with one request, running out of memory too, ends it alone; the others go on.
 * Freeing  A request may be freed at any time: what is not done of it is dropped where it is. A scheduler may be freed at any
 *          time, but not from on_ready or on_batch: requests that are not done end with QUERN_CANCELLED, and stay their owners' to
 *          free, before or after. Both keep the model alive as long as they need it. */
#ifndef QUERN_SCHEDULE_H
#define QUERN_SCHEDULE_H

#include "embed.h"
#include "generate.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct quern_request_options {
  size_t size;
  int64_t timeout_ms; /* from now on; then it ends with QUERN_DEADLINE_EXCEEDED, as soon as it is waited for or the pass that
                         runs has ended; 0: never */
  /* Called when a request of texts is done, and when there is a new event of one for generation or it is done; not after _cancel
   * has returned. On one of the scheduler's threads, or on one that ends the request: with locks of the caller's held that the
   * callback takes, submitting, waiting and freeing a scheduler would deadlock. *request is written before the first call. It may
   * call whatever is about its request, free it too (unless another thread is in a call with it), but should be short: others wait
   * meanwhile. May be NULL. */
  void (*on_ready)(void *user);
  void *user;
} quern_request_options;
QUERN_API quern_request_options quern_request_options_default(void);

/* ---- texts ---- */

/* Encodes and classifies the texts of all requests. Each of its threads takes texts that ask for the same, some of each waiting
 * request in turn, so that a large request does not hold up small ones. A text that has nothing beside it is run by all threads.
 * Results are the same to the bit as those of quern_embed and so on. */
typedef struct quern_text_scheduler quern_text_scheduler;
typedef struct quern_text_request quern_text_request;

typedef struct quern_text_scheduler_options {
  size_t size;
  int n_threads;        /* 0: quern_usable_cpus(), else 1 to 1024; fewer where the system starts no more */
  int64_t batch_tokens; /* of one pass, about, at most; 16384 by default */
  int64_t max_requests; /* that wait or run; 1024 by default */
  /* Called after each pass on the thread that ran it: how many texts and tokens, and how long. May be NULL. */
  void (*on_batch)(void *user, size_t texts, uint64_t tokens, double seconds);
  void *user;
} quern_text_scheduler_options;
QUERN_API quern_text_scheduler_options quern_text_scheduler_options_default(void);

/* options may be NULL. QUERN_OUT_OF_MEMORY where not even one thread can be started. */
QUERN_API quern_status quern_text_scheduler_new(const quern_model *model, const quern_text_scheduler_options *options,
                                                quern_text_scheduler **scheduler);
QUERN_API void quern_text_scheduler_free(quern_text_scheduler *scheduler);
QUERN_API int quern_text_scheduler_threads(const quern_text_scheduler *scheduler);

typedef struct quern_text_scheduler_stats {
  uint64_t requests;       /* that wait or run */
  uint64_t waiting_tokens; /* about, of texts that have not begun */
} quern_text_scheduler_stats;
QUERN_API quern_status quern_text_scheduler_stats_of(const quern_text_scheduler *scheduler, quern_text_scheduler_stats *stats);

/* Each submits n texts; *request is NULL after a failure. options and request_options may be NULL. options->info is not used:
 * quern_text_request_info says it.
 * encode: as quern_encode, of outputs the same.
 * classify: as quern_classify. pairs: NULL, or n pointers; text i with pairs[i] is a pair, or goes alone where that is NULL.
 * classify_tokens: as quern_classify_tokens. */
QUERN_API quern_status quern_text_scheduler_encode(quern_text_scheduler *scheduler, const char *const *texts,
                                                   const size_t *lengths, size_t n, const quern_embed_options *options,
                                                   unsigned outputs, const quern_request_options *request_options,
                                                   quern_text_request **request);
QUERN_API quern_status quern_text_scheduler_classify(quern_text_scheduler *scheduler, const char *const *texts,
                                                     const size_t *lengths, const char *const *pairs,
                                                     const size_t *pair_lengths, size_t n,
                                                     const quern_classify_options *options,
                                                     const quern_request_options *request_options,
                                                     quern_text_request **request);
QUERN_API quern_status quern_text_scheduler_classify_tokens(quern_text_scheduler *scheduler, const char *const *texts,
                                                            const size_t *lengths, size_t n,
                                                            const quern_classify_options *options, int grouped,
                                                            const quern_request_options *request_options,
                                                            quern_text_request **request);

/* Waits until the request is done; *done says whether it is. The status of a request that is: QUERN_OK when it ran, whatever
 * became of single texts; else why it has no results: QUERN_DEADLINE_EXCEEDED, QUERN_CANCELLED, QUERN_OUT_OF_MEMORY. */
QUERN_API quern_status quern_text_request_wait(quern_text_request *request, int64_t timeout_ms, int *done);
/* Ends it with QUERN_CANCELLED, unless it is done. */
QUERN_API void quern_text_request_cancel(quern_text_request *request);
QUERN_API void quern_text_request_free(quern_text_request *request);

/* The following are about requests that are done, with QUERN_OK; else QUERN_BAD_ARGUMENT.
 * error: why text i has no results, QUERN_OK where it has some; quern_last_error() says more.
 * info: n entries.
 * encoded, scores, spans: what quern_encode, quern_classify (n rows) and quern_classify_tokens hand out, once each. A text that
 * failed has no rows, NaN for scores, no spans.
 * times: seconds until its first text ran, and those of the passes that it was in. Either may be NULL. */
QUERN_API quern_status quern_text_request_error(const quern_text_request *request, size_t i);
QUERN_API quern_status quern_text_request_info(const quern_text_request *request, quern_text_info *info);
QUERN_API quern_status quern_text_request_encoded(quern_text_request *request, quern_encoded **encoded);
QUERN_API quern_status quern_text_request_scores(quern_text_request *request, float *scores, size_t scores_len);
QUERN_API quern_status quern_text_request_spans(quern_text_request *request, quern_spans **spans);
QUERN_API quern_status quern_text_request_times(const quern_text_request *request, double *queue_seconds,
                                                double *compute_seconds);
/* Of that, what the tokenizer took for all its texts, which several threads may have shared. */
QUERN_API quern_status quern_text_request_tokenize_time(const quern_text_request *request, double *seconds);

/* ---- generation ---- */

/* Generates for all requests with a generator of its own: one thread takes its steps. A sequence begins when a place among those
 * that may run is free and there is room for the longest that it may become; one that needs much room is passed by smaller ones
 * for two seconds at most. */
typedef struct quern_generation_scheduler quern_generation_scheduler;
typedef struct quern_generation_request quern_generation_request;

typedef struct quern_generation_scheduler_options {
  size_t size;
  int64_t max_requests; /* that wait or run; 1024 by default */
  int64_t max_events;   /* of all requests, that nobody has taken yet: beyond them a request ends with QUERN_OVERLOADED that has its
                           share of them, max_events / max_requests, and beyond twice as many any does that gets one more; 2^20 by
                           default */
} quern_generation_scheduler_options;
QUERN_API quern_generation_scheduler_options quern_generation_scheduler_options_default(void);

/* generator: the options of quern_generator_new, which fails alike. Both may be NULL. */
QUERN_API quern_status quern_generation_scheduler_new(const quern_model *model, const quern_generator_options *generator,
                                                      const quern_generation_scheduler_options *options,
                                                      quern_generation_scheduler **scheduler);
QUERN_API void quern_generation_scheduler_free(quern_generation_scheduler *scheduler);
QUERN_API int64_t quern_generation_scheduler_context(const quern_generation_scheduler *scheduler); /* tokens of a sequence */

typedef struct quern_generation_scheduler_stats {
  uint64_t requests;       /* that wait or run */
  uint64_t waiting_tokens; /* of prompts that have not begun */
  uint64_t sequences;      /* that run */
  uint64_t events;         /* that nobody has taken yet */
  uint64_t kv_bytes;       /* that keys and values may come to, which is the room of kv_tokens */
  uint64_t kv_tokens, kv_reserved_tokens; /* reserved: for the longest that the running sequences may become */
  quern_generator_stats generator;        /* as of the last step */
} quern_generation_scheduler_stats;
QUERN_API quern_status quern_generation_scheduler_stats_of(const quern_generation_scheduler *scheduler,
                                                           quern_generation_scheduler_stats *stats);

/* Submits a request for `choices` texts, 1 to 1024, that go on with the n ids of a prompt, of which the scheduler reads and keeps
 * one copy. Choice i has the seed options->seed + i. *request is NULL after a failure; QUERN_BAD_ARGUMENT for a prompt with as
 * many ids as the context has tokens. Other things that are wrong with it are the request's own error. options and
 * request_options may be NULL. */
QUERN_API quern_status quern_generation_scheduler_add(quern_generation_scheduler *scheduler, const int32_t *ids, size_t n,
                                                      const quern_generation_options *options, int choices,
                                                      const quern_request_options *request_options,
                                                      quern_generation_request **request);

/* The next event of any of its choices, in order, whose `sequence` is the choice's number from 0; valid until the request's next
 * call. *event is NULL when none came in time, and after the last, which *done says. The status of a request that is done, once
 * its events are taken: QUERN_OK when all choices ended by themselves (one by an error, too), else why it ended. */
QUERN_API quern_status quern_generation_request_next(quern_generation_request *request, int64_t timeout_ms,
                                                     const quern_token_event **event, int *done);
/* Ends it with QUERN_CANCELLED, unless it is done. */
QUERN_API void quern_generation_request_cancel(quern_generation_request *request);
QUERN_API void quern_generation_request_free(quern_generation_request *request);

typedef struct quern_generation_usage {
  uint64_t prompt_tokens, reused_tokens, generated_tokens; /* reused: of the prompt, that were still kept, by the first choice */
  double queue_seconds, first_token_seconds; /* from submission to the first step and the first event; 0 before */
} quern_generation_usage;
QUERN_API quern_status quern_generation_request_usage(const quern_generation_request *request, quern_generation_usage *usage);

#ifdef __cplusplus
}
#endif
#endif
