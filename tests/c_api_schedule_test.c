/* The schedulers of quern.h from C99, and every getter with NULL: c_api_schedule_test EMBEDDER CLASSIFIER DECODER,
 * model folders. Says what failed and returns 1. */
#include <math.h>
#include <pthread.h>
#include <quern.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "c_api_expect.h"

static const char* const texts[] = {"hello world", "the quick brown fox", "", "vectors of texts"};
static const size_t lengths[] = {11, 19, 0, 16};
enum { N = 4, WIDTH = 1024 };

static void getters(void) {
  const int32_t* ids = (const int32_t*)texts;
  const float* weights = (const float*)texts;
  size_t rows = 7, width = 7;
  EXPECT(quern_model_width(NULL) == 0 && quern_model_max_length(NULL) == 0 && quern_model_outputs(NULL) == 0);
  EXPECT(quern_model_labels(NULL) == 0 && !quern_model_label(NULL, 0) && quern_model_matryoshka(NULL) == 0);
  EXPECT(quern_model_has_chat(NULL) == 0 && quern_session_threads(NULL) == 0);
  EXPECT(!quern_tokens_of(NULL, &rows) && rows == 0 && !quern_tokens_of(NULL, NULL));
  rows = 7;
  EXPECT(!quern_encoded_dense(NULL, 0, &rows, &width) && rows == 0 && width == 0);
  rows = width = 7;
  EXPECT(!quern_encoded_multi_vector(NULL, 0, &rows, &width) && rows == 0 && width == 0);
  rows = width = 7;
  EXPECT(!quern_encoded_states(NULL, 0, &rows, &width) && rows == 0 && width == 0);
  EXPECT(quern_encoded_sparse(NULL, 0, &ids, &weights) == 0 && !ids && !weights);
  EXPECT(!quern_encoded_dense(NULL, 0, NULL, NULL) && quern_encoded_sparse(NULL, 0, NULL, NULL) == 0);
  rows = 7;
  EXPECT(!quern_spans_of(NULL, 0, &rows) && rows == 0 && !quern_spans_of(NULL, 0, NULL));
  EXPECT(quern_generator_context(NULL) == 0 && quern_generator_kv_bytes(NULL) == 0 &&
         quern_generator_kv_tokens(NULL) == 0);
  EXPECT(quern_generator_threads(NULL) == 0 && quern_text_scheduler_threads(NULL) == 0);
  EXPECT(quern_generation_scheduler_context(NULL) == 0);
  EXPECT(quern_version() && quern_last_error() && quern_isa() && quern_backend() && quern_cpu() &&
         quern_usable_cpus() >= 1);
  EXPECT(strcmp(quern_kv_type(0), "f16") == 0 && strcmp(quern_kv_type(1), "i8") == 0 && strcmp(quern_kv_type(2), "f32") == 0 && !quern_kv_type(3) &&
         !quern_kv_type(-1));
}

/* Counts calls of on_ready, and sums those of on_batch. */
struct counts {
  pthread_mutex_t mutex;
  int ready;
  size_t texts;
  uint64_t tokens; /* none of texts that fail */
};
static void on_ready(void* user) {
  struct counts* c = user;
  pthread_mutex_lock(&c->mutex);
  ++c->ready;
  pthread_mutex_unlock(&c->mutex);
}
static void await_ready(struct counts* c, int n) {
  int ready = 0;
  while (ready < n) {
    pthread_mutex_lock(&c->mutex);
    ready = c->ready;
    pthread_mutex_unlock(&c->mutex);
  }
}
static void on_batch(void* user, size_t n, uint64_t tokens, double seconds) {
  struct counts* c = user;
  pthread_mutex_lock(&c->mutex);
  c->texts += n;
  c->tokens += tokens;
  EXPECT(n > 0 && seconds >= 0);
  pthread_mutex_unlock(&c->mutex);
}

static void same_vectors(const quern_model* model, quern_text_request* request) {
  quern_session* session = NULL;
  quern_encoded* encoded = NULL;
  quern_text_info info[N];
  float expected[N * WIDTH];
  int64_t width = 0;
  double queued = -1, computed = -1;
  EXPECT(quern_session_new(model, 1, &session) == QUERN_OK && quern_embed_width(session, NULL, &width) == QUERN_OK &&
         width <= WIDTH);
  EXPECT(quern_embed(session, texts, lengths, N, NULL, expected, N * WIDTH, NULL) == QUERN_OK);
  EXPECT(quern_text_request_encoded(request, &encoded) == QUERN_OK);
  EXPECT(quern_text_request_info(request, info) == QUERN_OK);
  EXPECT(quern_text_request_times(request, &queued, &computed) == QUERN_OK && queued >= 0 && computed >= 0);
  double tokenized = 0;
  EXPECT(quern_text_request_tokenize_time(request, &tokenized) == QUERN_OK && tokenized > 0);
  for (size_t i = 0; i < N; ++i) {
    size_t rows = 0, w = 0;
    const float* row = quern_encoded_dense(encoded, i, &rows, &w);
    EXPECT(row && rows == 1 && w == (size_t)width && memcmp(row, expected + i * w, w * sizeof(float)) == 0);
    EXPECT(info[i].tokens >= 2 && quern_text_request_error(request, i) == QUERN_OK);
  }
  EXPECT(!quern_encoded_dense(encoded, N, NULL, NULL));
  EXPECT(quern_text_request_error(request, N) == QUERN_BAD_ARGUMENT);
  quern_encoded_free(encoded);
  quern_session_free(session);
}

struct client {
  quern_text_scheduler* scheduler;
  const quern_model* model;
};
static void* submit_and_wait(void* user) {
  struct client* c = user;
  for (int i = 0; i < 8; ++i) {
    quern_text_request* request = NULL;
    int done = 0;
    EXPECT(quern_text_scheduler_encode(c->scheduler, texts, lengths, N, NULL, QUERN_DENSE, NULL, &request) == QUERN_OK);
    EXPECT(quern_text_request_wait(request, -1, &done) == QUERN_OK && done);
    same_vectors(c->model, request);
    quern_text_request_free(request);
  }
  return NULL;
}

static void text_scheduler(const quern_model* model) {
  struct counts counts = {.mutex = PTHREAD_MUTEX_INITIALIZER};
  quern_text_scheduler* scheduler = NULL;
  quern_text_scheduler_options o = quern_text_scheduler_options_default();
  quern_request_options r = quern_request_options_default();
  quern_embed_options e = quern_embed_options_default();
  quern_text_scheduler_stats stats;
  quern_text_request *request = NULL, *left[3] = {NULL, NULL, NULL};
  quern_encoded* encoded = NULL;
  pthread_t threads[3];
  struct client client = {NULL, model};
  int done = 0;
  o.n_threads = 2;
  o.on_batch = on_batch;
  o.user = r.user = &counts;
  r.on_ready = on_ready;
  EXPECT(quern_text_scheduler_new(model, &o, &scheduler) == QUERN_OK && quern_text_scheduler_threads(scheduler) == 2);
  client.scheduler = scheduler;
  for (int i = 0; i < 3; ++i) EXPECT(pthread_create(&threads[i], NULL, submit_and_wait, &client) == 0);
  for (int i = 0; i < 3; ++i) EXPECT(pthread_join(threads[i], NULL) == 0);
  EXPECT(counts.texts == 3 * 8 * N && counts.tokens >= 2 * counts.texts);
  EXPECT(quern_text_scheduler_encode(scheduler, texts, lengths, N, &e, QUERN_DENSE, &r, &request) == QUERN_OK &&
         request);
  EXPECT(quern_text_request_wait(request, -1, &done) == QUERN_OK && done);
  EXPECT(quern_text_request_wait(request, 0, &done) == QUERN_OK && done);
  EXPECT(quern_text_scheduler_stats_of(scheduler, &stats) == QUERN_OK && stats.requests == 0 &&
         stats.waiting_tokens == 0);
  same_vectors(model, request);
  await_ready(&counts, 1); /* which may come after a waiting thread has gone on */
  quern_text_request_free(request);
  EXPECT(counts.ready == 1);
  /* One text of three fails. */
  e.long_texts = QUERN_LONG_ERROR;
  e.max_length = 4;
  EXPECT(quern_text_scheduler_encode(scheduler, texts, lengths, N, &e, QUERN_DENSE, NULL, &request) == QUERN_OK);
  EXPECT(quern_text_request_wait(request, -1, &done) == QUERN_OK && done);
  EXPECT(quern_text_request_error(request, 1) == QUERN_BAD_ARGUMENT && strstr(quern_last_error(), "text 2 "));
  EXPECT(quern_text_request_error(request, 2) == QUERN_OK);
  EXPECT(quern_text_request_encoded(request, &encoded) == QUERN_OK);
  size_t rows = 7;
  quern_encoded_dense(encoded, 1, &rows, NULL);
  EXPECT(rows == 0);
  quern_encoded_free(encoded);
  quern_text_request_free(request);
  /* Deadlines, cancelling, and the scheduler's end while requests are there. */
  r.timeout_ms = 1000 * 3600;
  EXPECT(quern_text_scheduler_encode(scheduler, texts, lengths, N, NULL, QUERN_STATES, &r, &left[0]) == QUERN_OK);
  quern_text_request_cancel(left[0]);
  EXPECT(quern_text_request_wait(left[0], -1, &done) == QUERN_OK || quern_last_error()[0]);
  EXPECT(done);
  r.timeout_ms = -1;
  EXPECT(quern_text_scheduler_encode(scheduler, texts, lengths, N, NULL, QUERN_DENSE, &r, &request) ==
             QUERN_BAD_ARGUMENT &&
         !request);
  EXPECT(quern_text_scheduler_encode(scheduler, texts, lengths, N, NULL, 0, NULL, &request) == QUERN_BAD_ARGUMENT &&
         !request);
  EXPECT(quern_text_scheduler_encode(scheduler, NULL, lengths, N, NULL, QUERN_DENSE, NULL, &request) ==
         QUERN_BAD_ARGUMENT);
  EXPECT(quern_text_scheduler_encode(NULL, texts, lengths, N, NULL, QUERN_DENSE, NULL, &request) == QUERN_BAD_ARGUMENT);
  for (int i = 1; i < 3; ++i)
    EXPECT(quern_text_scheduler_encode(scheduler, texts, lengths, N, NULL, QUERN_DENSE, NULL, &left[i]) == QUERN_OK);
  quern_text_request_free(left[1]);
  quern_text_scheduler_free(scheduler);
  EXPECT(quern_text_request_wait(left[2], -1, &done) != QUERN_DEADLINE_EXCEEDED && done);
  quern_text_request_free(left[2]);
  quern_text_request_free(left[0]);
  quern_text_request_free(NULL);
  quern_text_request_cancel(NULL);
  quern_text_scheduler_free(NULL);
  o.max_requests = 0;
  EXPECT(quern_text_scheduler_new(model, &o, &scheduler) == QUERN_BAD_ARGUMENT && !scheduler);
  EXPECT(quern_text_scheduler_new(NULL, NULL, &scheduler) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_text_scheduler_stats_of(NULL, &stats) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_text_request_wait(NULL, 0, &done) == QUERN_BAD_ARGUMENT &&
         quern_text_request_error(NULL, 0) == QUERN_BAD_ARGUMENT);
}

static void scores(const char* folder) {
  quern_model* model = NULL;
  quern_text_scheduler* scheduler = NULL;
  quern_session* session = NULL;
  quern_text_request* request = NULL;
  quern_spans* spans = NULL;
  const char* const pairs[] = {NULL, "a fox", NULL, "texts"};
  const size_t pair_lengths[] = {0, 5, 0, 5};
  float got[N * 3], expected[3];
  int done = 0;
  EXPECT(quern_model_load(folder, &model) == QUERN_OK && quern_session_new(model, 1, &session) == QUERN_OK);
  EXPECT(quern_text_scheduler_new(model, NULL, &scheduler) == QUERN_OK);
  if (!scheduler) return;
  EXPECT(quern_text_scheduler_classify(scheduler, texts, lengths, pairs, pair_lengths, N, NULL, NULL, &request) ==
         QUERN_OK);
  EXPECT(quern_text_request_wait(request, -1, &done) == QUERN_OK && done);
  EXPECT(quern_text_request_scores(request, got, N * 3 - 1) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_text_request_scores(request, got, N * 3) == QUERN_OK);
  for (size_t i = 0; i < N; ++i) {
    EXPECT(quern_classify(session, texts + i, lengths + i, pairs[i] ? pairs + i : NULL, pair_lengths + i, 1, NULL,
                          expected, 3, NULL) == QUERN_OK);
    EXPECT(memcmp(expected, got + 3 * i, sizeof expected) == 0);
  }
  quern_text_request_free(request);
  /* What the model does not do is each text's error. */
  EXPECT(quern_text_scheduler_classify_tokens(scheduler, texts, lengths, N, NULL, 1, NULL, &request) == QUERN_OK);
  EXPECT(quern_text_request_wait(request, -1, &done) == QUERN_OK && done);
  EXPECT(quern_text_request_error(request, 0) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_text_request_scores(request, got, N * 3) == QUERN_OK && isnan(got[0]));
  EXPECT(quern_text_request_spans(request, &spans) == QUERN_OK);
  size_t n = 7;
  quern_spans_of(spans, 0, &n);
  EXPECT(n == 0);
  quern_spans_free(spans);
  quern_text_request_free(request);
  quern_text_scheduler_free(scheduler);
  quern_session_free(session);
  quern_model_free(model);
}

struct answer {
  int32_t tokens[64];
  size_t n;
};
static int add_token(void* user, const quern_token_event* event) {
  struct answer* a = user;
  if (event->token >= 0 && a->n < 64) a->tokens[a->n++] = event->token;
  return 0;
}

/* All events of a request; its status at the end. */
static quern_status take_all(quern_generation_request* request, struct answer* answers) {
  const quern_token_event* event = NULL;
  int done = 0;
  quern_status status = QUERN_OK;
  while (!done) {
    status = quern_generation_request_next(request, -1, &event, &done);
    if (event) add_token(&answers[event->sequence], event);
    EXPECT(event || done);
  }
  return status;
}

static void generation_scheduler(const quern_model* encoder, const char* folder) {
  struct counts counts = {.mutex = PTHREAD_MUTEX_INITIALIZER};
  quern_model* model = NULL;
  quern_generator* generator = NULL;
  quern_generation_scheduler* scheduler = NULL;
  quern_generation_request *request = NULL, *others[2] = {NULL, NULL};
  quern_generator_options o = quern_generator_options_default();
  quern_generation_scheduler_options s = quern_generation_scheduler_options_default();
  quern_generation_options g = quern_generation_options_default();
  quern_request_options r = quern_request_options_default();
  quern_generation_scheduler_stats stats;
  quern_generation_usage usage;
  const quern_token_event* event = NULL;
  struct answer expected = {.n = 0}, got[3] = {{.n = 0}, {.n = 0}, {.n = 0}};
  const int32_t ids[] = {0, 70, 71, 72, 73, 74, 75, 76}, bad[] = {0, 1 << 20};
  int done = 0;
  EXPECT(quern_model_load(folder, &model) == QUERN_OK);
  EXPECT(quern_generation_scheduler_new(encoder, NULL, NULL, &scheduler) == QUERN_UNSUPPORTED && !scheduler);
  EXPECT(quern_generation_scheduler_new(NULL, NULL, NULL, &scheduler) == QUERN_BAD_ARGUMENT);
  o.kv_type = "q8_0";
  EXPECT(quern_generation_scheduler_new(model, &o, NULL, &scheduler) == QUERN_BAD_ARGUMENT &&
         strstr(quern_last_error(), "f16, i8 or f32"));
  o.kv_type = "i8";
  o.context = 64;
  o.sequences = 2;
  EXPECT(quern_generator_new(model, &o, &generator) == QUERN_OK);
  EXPECT(quern_generator_kv_tokens(generator) == 128);
  o.kv_memory = quern_generator_kv_bytes(generator);
  o.kv_type = NULL;
  quern_generator_free(generator);
  EXPECT(quern_generator_new(model, &o, &generator) == QUERN_OK);
  EXPECT(quern_generator_kv_tokens(generator) == 96); /* f16 needs more, and pages have 32 tokens */
  EXPECT(quern_generator_kv_bytes(generator) <= o.kv_memory);
  quern_generator_free(generator);
  o.kv_memory = 0;
  EXPECT(quern_generator_new(model, &o, &generator) == QUERN_OK);
  g.max_tokens = 20;
  g.ignore_end = 1;
  g.seed = 6;
  EXPECT(quern_generate(generator, ids, 8, &g, add_token, &expected) == QUERN_OK && expected.n == 20);
  s.max_requests = 2;
  r.on_ready = on_ready;
  r.user = &counts;
  EXPECT(quern_generation_scheduler_new(model, &o, &s, &scheduler) == QUERN_OK);
  EXPECT(quern_generation_scheduler_context(scheduler) == 64);
  g.seed = 4;
  EXPECT(quern_generation_scheduler_add(scheduler, ids, 8, &g, 3, &r, &request) == QUERN_OK);
  EXPECT(take_all(request, got) == QUERN_OK && got[0].n == 20 && got[1].n == 20);
  EXPECT(got[2].n == 20 && memcmp(got[2].tokens, expected.tokens, sizeof expected.tokens) == 0);
  EXPECT(quern_generation_request_usage(request, &usage) == QUERN_OK && usage.prompt_tokens == 8 &&
         usage.generated_tokens == 60);
  EXPECT(usage.first_token_seconds >= usage.queue_seconds && usage.queue_seconds > 0);
  await_ready(&counts, 3);
  quern_generation_request_free(request);
  EXPECT(quern_generation_scheduler_stats_of(scheduler, &stats) == QUERN_OK && stats.requests == 0 &&
         stats.sequences == 0);
  EXPECT(stats.kv_tokens == 128 && stats.kv_reserved_tokens == 0 && stats.kv_bytes > 0 && stats.events == 0);
  EXPECT(stats.generator.generated_tokens == 60);
  /* What is wrong with a request. */
  EXPECT(quern_generation_scheduler_add(scheduler, bad, 2, &g, 1, NULL, &request) == QUERN_OK);
  EXPECT(take_all(request, got) == QUERN_BAD_ARGUMENT && strstr(quern_last_error(), "token ids"));
  quern_generation_request_free(request);
  EXPECT(quern_generation_scheduler_add(scheduler, ids, 8, &g, 0, NULL, &request) == QUERN_BAD_ARGUMENT && !request);
  EXPECT(quern_generation_scheduler_add(scheduler, NULL, 8, &g, 1, NULL, &request) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_generation_scheduler_add(NULL, ids, 8, &g, 1, NULL, &request) == QUERN_BAD_ARGUMENT);
  /* Full, a deadline, cancelling, and the scheduler's end. */
  g.max_tokens = -1;
  r.timeout_ms = 1;
  EXPECT(quern_generation_scheduler_add(scheduler, ids, 8, &g, 1024, &r, &others[0]) == QUERN_OK);
  EXPECT(quern_generation_scheduler_add(scheduler, ids, 8, &g, 1024, NULL, &others[1]) == QUERN_OK);
  while (!done && quern_generation_request_next(others[0], -1, &event, &done) == QUERN_OK)
    ;
  EXPECT(done && strstr(quern_last_error(), "deadline"));
  EXPECT(quern_generation_scheduler_add(scheduler, ids, 8, &g, 1024, NULL, &request) == QUERN_OK);
  quern_generation_request_free(others[0]);
  EXPECT(quern_generation_scheduler_add(scheduler, ids, 8, &g, 1, NULL, &others[0]) == QUERN_OVERLOADED && !others[0]);
  quern_generation_request_cancel(others[1]);
  EXPECT(quern_generation_request_next(others[1], 0, &event, &done) == QUERN_OK || done);
  quern_generation_scheduler_free(scheduler);
  done = 0;
  while (!done && quern_generation_request_next(request, -1, &event, &done) == QUERN_OK)
    ;
  EXPECT(done && strstr(quern_last_error(), "freed"));
  EXPECT(quern_generation_request_next(request, 0, &event, &done) == QUERN_CANCELLED);
  quern_generation_request_free(request);
  quern_generation_request_free(others[1]);
  quern_generation_request_free(NULL);
  quern_generation_request_cancel(NULL);
  quern_generation_scheduler_free(NULL);
  quern_generator_free(generator);
  quern_model_free(model);
}

int main(int argc, char** argv) {
  quern_model* model = NULL;
  if (argc != 4) return 2;
  getters();
  EXPECT(quern_model_load(argv[1], &model) == QUERN_OK);
  if (!model) return 1;
  text_scheduler(model);
  scores(argv[2]);
  generation_scheduler(model, argv[3]);
  quern_model_free(model);
  printf("%d failures\n", failures);
  return failures != 0;
}
