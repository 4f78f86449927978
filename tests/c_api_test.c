/* quern.h from C99: c_api_test FOLDER CLASSIFIER DECODER, model folders, the second with three labels. Says what failed and returns 1. */
#include <math.h>
#include <pthread.h>
#include <quern.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "c_api_expect.h"

static int count_calls(void *user, double done, double total, const char *what) {
  ++*(int *)user;
  return !(done >= 0 && done <= total && what && *what);
}
static int cancel(void *user, double done, double total, const char *what) {
  (void)user, (void)done, (void)total, (void)what;
  return 1;
}

static void tokens(const quern_model *model) {
  int32_t ids[64];
  size_t n = 0, bare = 0;
  quern_tokenize_options o = quern_tokenize_options_default();
  EXPECT(quern_tokenize(model, "hello world", 11, NULL, ids, 64, &n) == QUERN_OK && n >= 3);
  o.add_special = 0;
  EXPECT(quern_tokenize(model, "hello world", 11, &o, ids, 64, &bare) == QUERN_OK && bare + 2 == n);
  EXPECT(quern_tokenize(model, "hello world", 11, NULL, ids, 1, &bare) == QUERN_BAD_ARGUMENT && bare == n);
  EXPECT(quern_tokenize(model, NULL, 0, NULL, ids, 64, &n) == QUERN_OK && n == 2);
  char *text = NULL;
  size_t length = 0;
  n = 0;
  EXPECT(quern_tokenize(model, "hello world", 11, NULL, ids, 64, &n) == QUERN_OK);
  EXPECT(quern_detokenize(model, ids, n, NULL, &text, &length) == QUERN_OK && length == strlen(text));
  quern_detokenizer *detokenizer = NULL;
  char parts[256] = "";
  const char *part = NULL;
  size_t part_length = 0;
  EXPECT(quern_detokenizer_new(model, NULL, &detokenizer) == QUERN_OK);
  for (size_t i = 0; i < n; ++i) {
    EXPECT(quern_detokenizer_push(detokenizer, ids + i, 1, &part, &part_length) == QUERN_OK);
    strcat(parts, part);
  }
  EXPECT(quern_detokenizer_flush(detokenizer, &part, &part_length) == QUERN_OK);
  strcat(parts, part);
  EXPECT(strcmp(parts, text) == 0 && length > 0);
  quern_detokenizer_free(detokenizer);
  quern_detokenizer_free(NULL);
  quern_string_free(text);
  EXPECT(quern_detokenize(NULL, ids, n, NULL, &text, &length) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_tokenize(NULL, "x", 1, NULL, ids, 64, &n) == QUERN_BAD_ARGUMENT && *quern_last_error());
}

/* Another thread's failure is its own. */
static void *fail_elsewhere(void *unused) {
  quern_model *model = NULL;
  (void)unused;
  EXPECT(strcmp(quern_last_error(), "") == 0);
  EXPECT(quern_model_load("no/other/model", &model) == QUERN_NOT_FOUND);
  EXPECT(strstr(quern_last_error(), "no/other/model"));
  return NULL;
}

static void errors_by_thread(void) {
  pthread_t thread;
  quern_model *model = NULL;
  EXPECT(quern_model_load("no/such/model", &model) == QUERN_NOT_FOUND);
  EXPECT(pthread_create(&thread, NULL, fail_elsewhere, NULL) == 0 && pthread_join(thread, NULL) == 0);
  EXPECT(strstr(quern_last_error(), "no/such/model"));
}

/* A session on a thread of its own, over a model that others use. */
struct job {
  const quern_model *model;
  float *out;
  size_t width;
};
static void *embed_elsewhere(void *user) {
  struct job *job = user;
  const char *text = "hello world";
  const size_t length = 11;
  quern_session *session = NULL;
  EXPECT(quern_session_new(job->model, 1, &session) == QUERN_OK);
  EXPECT(quern_embed(session, &text, &length, 1, NULL, job->out, job->width, NULL) == QUERN_OK);
  quern_session_free(session);
  return NULL;
}

static void shared_model(const char *path) {
  enum { N = 4, D = 512 };
  static float rows[N][D];
  quern_model *model = NULL;
  quern_session *session = NULL;
  pthread_t threads[N];
  struct job jobs[N];
  size_t width;
  int i;
  EXPECT(quern_model_load(path, &model) == QUERN_OK);
  width = (size_t)quern_model_width(model);
  EXPECT(width <= D && quern_session_new(model, 0, &session) == QUERN_OK);
  EXPECT(quern_session_threads(session) == quern_usable_cpus());
  for (i = 0; i < N; ++i) {
    jobs[i].model = model;
    jobs[i].out = rows[i];
    jobs[i].width = width;
    EXPECT(pthread_create(&threads[i], NULL, embed_elsewhere, &jobs[i]) == 0);
  }
  for (i = 0; i < N; ++i) EXPECT(pthread_join(threads[i], NULL) == 0);
  for (i = 1; i < N; ++i) EXPECT(memcmp(rows[i], rows[0], width * sizeof **rows) == 0);
  quern_model_free(model); /* before its session, which keeps it alive */
  {
    const char *text = "hello world";
    const size_t length = 11;
    quern_embed_stats stats = {10, 20, 30, 40, 50};
    EXPECT(quern_embed(session, &text, &length, 1, NULL, rows[1], width, &stats) == QUERN_OK);
    EXPECT(memcmp(rows[1], rows[0], width * sizeof **rows) == 0);
    EXPECT(stats.texts == 11 && stats.tokens > 22 && stats.truncated == 30 && stats.repaired == 40 && stats.chunked == 50);
  }
  quern_session_free(session);
}

/* Every option, and a caller whose struct ends early. */
static void options(const quern_model *model) {
  const char *texts[2] = {"the quick fox jumps over the lazy user", NULL};
  const size_t lengths[2] = {38, 0};
  quern_embed_options o = quern_embed_options_default();
  quern_session *session = NULL;
  float a[16], b[16];
  int64_t width = 0;
  EXPECT(o.size == sizeof o && o.normalize == -1 && o.long_texts == QUERN_LONG_TRUNCATE && o.first_text == 1);
  EXPECT(quern_session_new(model, 1, &session) == QUERN_OK);
  o.dimensions = 8;
  o.pooling = "cls";
  o.normalize = 0;
  o.max_length = 5;
  EXPECT(quern_embed_width(session, &o, &width) == QUERN_OK && width == 8);
  EXPECT(quern_embed(session, texts, lengths, 2, &o, a, 16, NULL) == QUERN_OK);
  EXPECT(quern_embed(session, texts, lengths, 1, &o, b, 8, NULL) == QUERN_OK && memcmp(a, b, 8 * sizeof *a) == 0);
  o.prompt = "the ";
  EXPECT(quern_embed(session, texts, lengths, 1, &o, b, 8, NULL) == QUERN_OK && memcmp(a, b, 8 * sizeof *a) != 0);
  o.long_texts = QUERN_LONG_ERROR;
  o.first_text = 7;
  EXPECT(quern_embed(session, texts, lengths, 1, &o, b, 8, NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(strstr(quern_last_error(), "text 7"));
  o.size = offsetof(quern_embed_options, long_texts); /* as if the last fields were not there */
  EXPECT(quern_embed(session, texts, lengths, 1, &o, b, 8, NULL) == QUERN_OK);
  o.size = sizeof o;
  o.max_length = -1;
  EXPECT(quern_embed(session, texts, lengths, 1, &o, b, 8, NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_embed(NULL, texts, lengths, 1, NULL, a, 16, NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_embed(session, texts, lengths, (size_t)-1, NULL, a, 16, NULL) == QUERN_BAD_ARGUMENT);
  quern_session_free(session);
}

static void embeddings(const quern_model *model) {
  const char *texts[3] = {"hello world", "", "a much longer text, with \xff and a NUL"};
  const size_t lengths[3] = {11, 0, 36};
  quern_session *session = NULL;
  quern_embed_stats stats;
  quern_embed_options o = quern_embed_options_default();
  int64_t width = 0, i;
  float *all, *one;
  double norm = 0;
  memset(&stats, 0, sizeof stats);
  EXPECT(quern_session_new(model, -1, &session) == QUERN_BAD_ARGUMENT && !session);
  EXPECT(quern_session_new(model, 2, &session) == QUERN_OK && quern_session_threads(session) == 2);
  EXPECT(quern_embed_width(session, NULL, &width) == QUERN_OK && width == quern_model_width(model));
  all = calloc((size_t)(3 * width), sizeof *all);
  one = calloc((size_t)width, sizeof *one);
  EXPECT(quern_embed(session, texts, lengths, 3, NULL, all, (size_t)(3 * width), &stats) == QUERN_OK);
  EXPECT(stats.texts == 3 && stats.tokens >= 7 && stats.repaired == 1);
  EXPECT(quern_embed(session, texts + 2, lengths + 2, 1, &o, one, (size_t)width, NULL) == QUERN_OK);
  EXPECT(memcmp(one, all + 2 * width, (size_t)width * sizeof *one) == 0);
  for (i = 0; i < width; ++i) norm += (double)all[i] * all[i];
  EXPECT(fabs(norm - 1) < 1e-5);
  EXPECT(quern_embed(session, texts, lengths, 3, NULL, all, (size_t)(3 * width) - 1, NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_embed(session, NULL, NULL, 0, NULL, NULL, 0, NULL) == QUERN_OK);
  o.dimensions = width + 1;
  EXPECT(quern_embed_width(session, &o, &width) == QUERN_BAD_ARGUMENT && strstr(quern_last_error(), "dimensions"));
  o = quern_embed_options_default();
  for (i = 0; (o.pooling = quern_pooling_mode((size_t)i)) != NULL; ++i)
    EXPECT(quern_embed(session, texts, lengths, 1, &o, all, (size_t)width, NULL) == QUERN_OK);
  EXPECT(i > 0 && !quern_pooling_mode((size_t)i + 1) && !quern_pooling_mode((size_t)-1));
  o.pooling = "sideways";
  EXPECT(quern_embed_width(session, &o, &width) == QUERN_BAD_ARGUMENT && strstr(quern_last_error(), "sideways"));
  o = quern_embed_options_default();
  o.size = 0;
  EXPECT(quern_embed_width(session, &o, &width) == QUERN_BAD_ARGUMENT);
  free(one);
  free(all);
  quern_session_free(session);
}

/* From ids as from the text that they are of; what a text costs; the machine's limit. */
static void ids_and_limits(const quern_model *model) {
  const char *text = "hello world";
  const size_t length = 11;
  int32_t ids[16], bad[2] = {1, 1 << 30};
  const int32_t *lists[2];
  size_t lengths[2], n = 0;
  quern_session *session = NULL;
  quern_embed_stats stats;
  int64_t width = quern_model_width(model);
  float *a = calloc((size_t)(2 * width), sizeof *a), *b = calloc((size_t)width, sizeof *b);
  double products = 0, attention = 0, twice = 0, limit = 0;
  memset(&stats, 0, sizeof stats);
  EXPECT(quern_session_new(model, 1, &session) == QUERN_OK);
  EXPECT(quern_tokenize(model, text, length, NULL, ids, 16, &n) == QUERN_OK);
  lists[0] = lists[1] = ids;
  lengths[0] = lengths[1] = n;
  EXPECT(quern_embed_ids(session, lists, lengths, 2, NULL, a, (size_t)(2 * width), &stats) == QUERN_OK);
  EXPECT(stats.texts == 2 && stats.tokens == 2 * n);
  EXPECT(quern_embed(session, &text, &length, 1, NULL, b, (size_t)width, NULL) == QUERN_OK);
  EXPECT(memcmp(a, b, (size_t)width * sizeof *a) == 0 && memcmp(a + width, b, (size_t)width * sizeof *a) == 0);
  lists[1] = bad;
  lengths[1] = 2;
  EXPECT(quern_embed_ids(session, lists, lengths, 2, NULL, a, (size_t)(2 * width), NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(strstr(quern_last_error(), "text 2") && strstr(quern_last_error(), "1073741824"));
  EXPECT(quern_embed_ids(session, lists, lengths, 2, NULL, a, (size_t)width, NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_embed_ids(session, NULL, NULL, 0, NULL, NULL, 0, NULL) == QUERN_OK);
  EXPECT(quern_embed_ids(NULL, lists, lengths, 1, NULL, a, (size_t)width, NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_model_macs(model, 10, &products, &attention) == QUERN_OK && products > 0 && attention > 0);
  EXPECT(quern_model_macs(model, 20, &twice, NULL) == QUERN_OK && twice == 2 * products);
  EXPECT(quern_model_macs(NULL, 1, NULL, NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_session_limit(session, 0.001, &limit) == QUERN_OK && limit > 0);
  EXPECT(quern_session_limit(session, -1, &limit) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_backend() && quern_cpu() && *quern_cpu());
  quern_session_free(session);
  free(a);
  free(b);
}

/* What an embedder makes, by quern_encode; what it does not make, asked for. */
static void outputs(const quern_model *model) {
  const char *texts[2] = {"hello world", "fox"};
  const size_t lengths[2] = {11, 3};
  const int32_t *ids = NULL;
  const float *weights = NULL, *row;
  float scores[2], *vectors = calloc((size_t)(2 * quern_model_width(model)), sizeof *vectors);
  size_t rows = 9, width = 9;
  quern_session *session = NULL;
  quern_encoded *encoded = NULL;
  quern_spans *spans = NULL;
  quern_embed_options o = quern_embed_options_default();
  quern_embed_stats stats;
  memset(&stats, 0, sizeof stats);
  EXPECT(quern_session_new(model, 1, &session) == QUERN_OK);
  EXPECT(quern_model_outputs(model) == QUERN_DENSE && quern_model_labels(model) == 0 && !quern_model_matryoshka(model));
  EXPECT(!quern_model_label(model, 0) && !quern_model_label(model, -1));
  EXPECT(quern_encode(session, texts, lengths, 2, NULL, QUERN_DENSE, &encoded, &stats) == QUERN_OK && stats.texts == 2);
  EXPECT(quern_embed(session, texts, lengths, 2, NULL, vectors, (size_t)(2 * quern_model_width(model)), NULL) == QUERN_OK);
  row = quern_encoded_dense(encoded, 1, &rows, &width);
  EXPECT(rows == 1 && width == (size_t)quern_model_width(model));
  EXPECT(memcmp(row, vectors + width, width * sizeof *row) == 0);
  EXPECT(quern_encoded_sparse(encoded, 0, &ids, &weights) == 0);
  quern_encoded_multi_vector(encoded, 0, &rows, &width);
  EXPECT(rows == 0);
  quern_encoded_free(encoded);
  quern_encoded_free(NULL);
  encoded = NULL;
  EXPECT(quern_encode(session, NULL, NULL, 0, NULL, QUERN_DENSE, &encoded, NULL) == QUERN_OK);
  quern_encoded_free(encoded);
  encoded = NULL;
  EXPECT(quern_encode(session, texts, lengths, 2, NULL, QUERN_SPARSE, &encoded, NULL) == QUERN_BAD_ARGUMENT && !encoded);
  EXPECT(quern_encode(session, texts, lengths, 2, NULL, 0, &encoded, NULL) == QUERN_BAD_ARGUMENT && !encoded);
  EXPECT(quern_encode(session, texts, lengths, 2, NULL, 1u << 20, &encoded, NULL) == QUERN_BAD_ARGUMENT && !encoded);
  EXPECT(quern_encode(session, texts, lengths, 2, NULL, QUERN_LABELS, &encoded, NULL) == QUERN_BAD_ARGUMENT && !encoded);
  EXPECT(quern_encode(session, texts, lengths, 2, NULL, QUERN_DENSE, NULL, NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_encode(NULL, texts, lengths, 2, NULL, QUERN_DENSE, &encoded, NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_encode(session, NULL, lengths, 2, NULL, QUERN_DENSE, &encoded, NULL) == QUERN_BAD_ARGUMENT);
  for (o.long_texts = -1; o.long_texts <= 4; o.long_texts += 5)
    EXPECT(quern_embed(session, texts, lengths, 1, &o, vectors, 2, NULL) == QUERN_BAD_ARGUMENT &&
           strstr(quern_last_error(), "long_texts"));
  o = quern_embed_options_default();
  o.overlap = -1;
  EXPECT(quern_encode(session, texts, lengths, 1, &o, QUERN_DENSE, &encoded, NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(strstr(quern_last_error(), "overlap"));
  EXPECT(quern_classify(session, texts, lengths, NULL, NULL, 2, NULL, scores, 2, NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_rerank(session, "q", 1, texts, lengths, 2, NULL, scores, NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_classify_tokens(session, texts, lengths, 2, NULL, 1, &spans, NULL) == QUERN_BAD_ARGUMENT && !spans);
  quern_session_free(session);
  free(vectors);
}

/* What became of each text, the states of its tokens, where they lie, and what vectors depend on. */
static void details(const quern_model *model, const quern_model *file) {
  const char *texts[2] = {"hello world", "hello \xff hello hello hello"};
  const size_t lengths[2] = {11, 25};
  const size_t D = (size_t)quern_model_width(model);
  float *first = calloc(D, sizeof *first);
  const float *states;
  size_t rows = 0, width = 0, count = 0, n = 0, i;
  quern_text_info info[2];
  quern_session *session = NULL;
  quern_encoded *encoded = NULL;
  quern_tokens *parts = NULL;
  const quern_token *token;
  int32_t ids[64];
  char *one = NULL, *other = NULL;
  quern_embed_options o = quern_embed_options_default();
  memset(info, 0, sizeof info);
  EXPECT(quern_tokenize(model, "hello world", 11, NULL, ids, 64, &n) == QUERN_OK);
  o.max_length = (int64_t)n; /* the first text fits, the second does not */
  o.pooling = "cls";
  o.normalize = 0;
  o.info = info;
  EXPECT(quern_session_new(model, 1, &session) == QUERN_OK);
  EXPECT(quern_encode(session, texts, lengths, 2, &o, QUERN_STATES, &encoded, NULL) == QUERN_OK);
  EXPECT(info[0].tokens == n && info[0].dropped == 0 && !info[0].repaired);
  EXPECT(info[1].tokens == n && info[1].dropped > 0 && info[1].repaired == 1);
  states = quern_encoded_states(encoded, 0, &rows, &width);
  EXPECT(rows == n && width == D);
  memset(info, 0, sizeof info);
  EXPECT(quern_embed(session, texts, lengths, 1, &o, first, D, NULL) == QUERN_OK);
  EXPECT(info[0].tokens == n && info[1].tokens == 0);
  EXPECT(memcmp(first, states, D * sizeof *first) == 0);
  quern_encoded_free(encoded);
  quern_session_free(session);

  EXPECT(quern_tokenize_parts(model, "hello world", 11, NULL, &parts) == QUERN_OK);
  token = quern_tokens_of(parts, &count);
  EXPECT(count == n);
  for (i = 0; i < count && i < n; ++i) EXPECT(token[i].id == ids[i] && token[i].piece && *token[i].piece);
  EXPECT(token[0].special && !token[1].special && token[1].begin == 0 && token[count - 2].end == 11);
  quern_tokens_free(parts);
  EXPECT(quern_tokenize_parts(model, "hello", 5, NULL, NULL) == QUERN_BAD_ARGUMENT);

  EXPECT(quern_model_fingerprint(model, &one) == QUERN_OK && strlen(one) == 32);
  EXPECT(quern_model_fingerprint(file, &other) == QUERN_OK && strlen(other) == 32 && strcmp(one, other) != 0);
  quern_string_free(one);
  quern_string_free(other);
  EXPECT(quern_model_fingerprint(NULL, &one) == QUERN_BAD_ARGUMENT);
  free(first);
}

/* A model with three labels. */
static void classifier(const char *path) {
  const char *texts[2] = {"quick fox", "50 cents"}, *pairs[2] = {"lazy user", ""};
  const size_t lengths[2] = {9, 8}, pair_lengths[2] = {9, 0};
  float both[6], single[6];
  quern_model *model = NULL;
  quern_session *session = NULL;
  quern_spans *spans = NULL;
  quern_classify_options o = quern_classify_options_default();
  int i;
  EXPECT(o.size == sizeof o && o.long_texts == QUERN_LONG_TRUNCATE && o.first_text == 1 && !o.raw);
  EXPECT(quern_model_load(path, &model) == QUERN_OK && quern_session_new(model, 1, &session) == QUERN_OK);
  EXPECT(quern_model_outputs(model) == QUERN_LABELS && quern_model_labels(model) == 3);
  EXPECT(quern_model_label(model, 2) && strcmp(quern_model_label(model, 2), "LABEL_2") == 0);
  EXPECT(!quern_model_label(model, 3) && !quern_model_label(model, -1));
  EXPECT(quern_classify(session, texts, lengths, NULL, NULL, 2, NULL, single, 6, NULL) == QUERN_OK);
  EXPECT(fabs((double)single[3] + single[4] + single[5] - 1) < 1e-5);
  EXPECT(quern_classify(session, texts, lengths, pairs, pair_lengths, 2, NULL, both, 6, NULL) == QUERN_OK);
  EXPECT(memcmp(both, single, 3 * sizeof *both) != 0);
  EXPECT(quern_classify(session, texts, lengths, NULL, NULL, 2, NULL, single, 5, NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_classify(NULL, texts, lengths, NULL, NULL, 2, NULL, single, 6, NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_classify(session, NULL, lengths, NULL, NULL, 2, NULL, single, 6, NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_classify(session, texts, NULL, NULL, NULL, 2, NULL, single, 6, NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_classify(session, texts, lengths, pairs, NULL, 2, NULL, single, 6, NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_classify(session, texts, lengths, NULL, NULL, 2, NULL, NULL, 6, NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_classify(session, NULL, NULL, NULL, NULL, 0, NULL, NULL, 0, NULL) == QUERN_OK);
  for (i = -1; i <= 4; ++i) {
    const int taken = i == QUERN_LONG_ERROR || i == QUERN_LONG_TRUNCATE;
    o.long_texts = i;
    EXPECT(quern_classify(session, texts, lengths, NULL, NULL, 2, &o, single, 6, NULL) ==
           (taken ? QUERN_OK : QUERN_BAD_ARGUMENT));
  }
  EXPECT(quern_rerank(session, "q", 1, texts, lengths, 2, NULL, single, NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_rerank(session, NULL, 1, texts, lengths, 2, NULL, single, NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_rerank(session, "q", 1, texts, lengths, 2, NULL, NULL, NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_classify_tokens(session, texts, lengths, 2, NULL, 1, &spans, NULL) == QUERN_BAD_ARGUMENT && !spans);
  EXPECT(quern_classify_tokens(session, texts, lengths, 2, NULL, 1, NULL, NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_embed(session, texts, lengths, 1, NULL, single, 6, NULL) == QUERN_BAD_ARGUMENT);
  quern_session_free(session);
  quern_model_free(model);
}

static void self_test(const quern_model *folder, const quern_model *file) {
  char *json = NULL;
  EXPECT(quern_model_self_test(file, &json) == QUERN_OK && json && strstr(json, "\"passed\":true"));
  quern_string_free(json);
  json = NULL;
  EXPECT(quern_model_self_test(folder, &json) == QUERN_BAD_ARGUMENT && !json && strstr(quern_last_error(), "self-test"));
  EXPECT(quern_model_self_test(NULL, &json) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_model_self_test(file, NULL) == QUERN_BAD_ARGUMENT);
}

/* What came of sequences: their tokens and text, and how they ended. */
struct answer {
  int32_t tokens[64];
  size_t n, ends, most;
  char text[1024];
  quern_finish finish;
};
static int on_token(void *user, const quern_token_event *event) {
  struct answer *a = user;
  EXPECT(event->sequence > 0 && event->text && event->text[event->length] == 0);
  EXPECT((event->finish == QUERN_FINISH_ERROR) == (event->error != NULL));
  if (event->token >= 0 && a->n < 64) a->tokens[a->n++] = event->token;
  strncat(a->text, event->text, sizeof a->text - strlen(a->text) - 1);
  a->ends += event->finish != QUERN_FINISH_NONE;
  a->finish = event->finish;
  return a->most > 0 && a->n >= a->most;
}
static int count_rows(void *user, size_t index, const float *logits, size_t n_logits) {
  EXPECT(index == 2 + (size_t)*(int *)user && logits && n_logits > 256);
  return ++*(int *)user == 3;
}
static int count_windows(void *user, double done, double total, double perplexity) {
  ++*(int *)user;
  return !(done <= total && perplexity > 1);
}

static void generation(const quern_model *encoder, const char *folder) {
  quern_model *model = NULL;
  quern_generator *generator = NULL;
  quern_generator_options o = quern_generator_options_default();
  quern_generation_options g = quern_generation_options_default();
  quern_generator_stats stats;
  quern_perplexity_result perplexity;
  struct answer first = {.n = 0}, again = {.n = 0}, cancelled = {.most = 2}, stopped = {.n = 0};
  const int32_t ids[] = {0, 70, 71, 72, 73, 74, 75, 76}, bad[] = {0, 1 << 20};
  const char *stop[1];
  char cut[4] = "";
  int64_t sequence = 0, other = 0;
  uint64_t weights = 0, kept = 0;
  size_t running = 0;
  double bandwidth = 0;
  int rows = 0, windows = 0;
  EXPECT(quern_model_load(folder, &model) == QUERN_OK);
  if (!model) return;
  EXPECT(quern_model_outputs(model) & QUERN_TEXT && !(quern_model_outputs(encoder) & QUERN_TEXT));
  EXPECT(quern_generator_new(encoder, NULL, &generator) == QUERN_UNSUPPORTED && !generator);
  EXPECT(quern_generator_new(NULL, NULL, &generator) == QUERN_BAD_ARGUMENT);
  o.kv_memory = 100;
  EXPECT(quern_generator_new(model, &o, &generator) == QUERN_BAD_ARGUMENT && strstr(quern_last_error(), "MiB"));
  o = quern_generator_options_default();
  o.kv_type = "i3";
  EXPECT(quern_generator_new(model, &o, &generator) == QUERN_BAD_ARGUMENT && strstr(quern_last_error(), "i3"));
  o = quern_generator_options_default();
  o.n_threads = 2;
  o.context = 64;
  o.sequences = 2;
  EXPECT(quern_generator_new(model, &o, &generator) == QUERN_OK);
  if (!generator) return;
  EXPECT(quern_generator_context(generator) == 64 && quern_generator_threads(generator) == 2);
  EXPECT(quern_generator_kv_bytes(generator) >= 2 * 64 * 2 * 2);
  EXPECT(quern_model_token_bytes(model, &weights, &kept) == QUERN_OK && weights > 1000 && kept > 0);
  EXPECT(quern_model_token_bytes(model, NULL, NULL) == QUERN_OK);
  EXPECT(quern_model_token_bytes(encoder, NULL, &kept) == QUERN_OK && kept == 0);
  g.max_tokens = 20;
  g.temperature = 0;
  g.ignore_end = 1;
  EXPECT(quern_generate(generator, ids, 8, &g, on_token, &first) == QUERN_OK && first.n == 20 && first.ends == 1);
  EXPECT(first.finish == QUERN_FINISH_LENGTH && *first.text);
  EXPECT(quern_generator_add(generator, ids, 8, &g, &sequence) == QUERN_OK && sequence > 0);
  EXPECT(quern_generator_add(generator, ids, 8, &g, &other) == QUERN_OK && other != sequence);
  EXPECT(quern_generator_add(generator, ids, 8, &g, &other) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_generator_cancel(generator, other) == QUERN_OK && quern_generator_cancel(generator, 999) == QUERN_OK);
  do {
    EXPECT(quern_generator_step(generator, on_token, &again, &running) == QUERN_OK && running <= 1);
  } while (running > 0);
  EXPECT(again.n == first.n && memcmp(again.tokens, first.tokens, sizeof first.tokens) == 0);
  EXPECT(strcmp(again.text, first.text) == 0);
  EXPECT(quern_generate(generator, ids, 8, &g, on_token, &cancelled) == QUERN_OK && cancelled.n == 2);
  if (strlen(first.text) > 8) {
    memcpy(cut, first.text + 4, 3);
    stop[0] = cut;
    g.stop = stop;
    g.n_stop = 1;
    EXPECT(quern_generate(generator, ids, 8, &g, on_token, &stopped) == QUERN_OK);
    EXPECT(stopped.finish == QUERN_FINISH_STOP && strstr(first.text, stopped.text) == first.text);
    g.n_stop = 0;
  }
  EXPECT(quern_generate(generator, ids, 8, &g, NULL, NULL) == QUERN_OK);
  EXPECT(quern_generate(generator, ids, 0, &g, on_token, &again) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_generate(generator, bad, 2, &g, on_token, &again) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_generate(generator, NULL, 2, &g, on_token, &again) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_generate(NULL, ids, 2, &g, on_token, &again) == QUERN_BAD_ARGUMENT);
  g.grammar = "root ::= oops";
  EXPECT(quern_generate(generator, ids, 8, &g, on_token, &again) == QUERN_BAD_ARGUMENT && strstr(quern_last_error(), "oops"));
  EXPECT(quern_generator_stats_of(generator, &stats) == QUERN_OK && stats.generated_tokens >= 60);
  EXPECT(stats.prompt_tokens >= 32 && stats.generation_seconds > 0);
  EXPECT(quern_generator_score(generator, ids, 8, 2, count_rows, &rows) == QUERN_OK && rows == 3);
  EXPECT(quern_generator_score(generator, bad, 2, 0, count_rows, &rows) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_generator_perplexity(generator, "the quick fox compared sentences by cosine", 42, 8, NULL, count_windows,
                                    &windows, &perplexity) == QUERN_OK);
  EXPECT(windows >= 1 && perplexity.tokens > 0 && perplexity.perplexity > 1);
  EXPECT(quern_generator_perplexity(generator, "x", 1, 8, NULL, NULL, NULL, &perplexity) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_generator_bandwidth(generator, 0.01, &bandwidth) == QUERN_OK && bandwidth > 1e6);
  EXPECT(quern_generator_bandwidth(generator, -1, &bandwidth) == QUERN_BAD_ARGUMENT);
  quern_model_free(model); /* the generator keeps it */
  EXPECT(quern_generator_context(generator) == 64);
  quern_generator_free(generator);
  quern_generator_free(NULL);
}

int main(int argc, char **argv) {
  quern_model *model = NULL, *converted = NULL;
  size_t types = 0;
  while (quern_written_type(types)) ++types;
  EXPECT(types > 0 && !quern_written_type(types + 1) && !quern_written_type((size_t)-1));
  quern_convert_options o = quern_convert_options_default();
  char *json = NULL;
  int calls = 0;
  const char *file = "c_api_test.q8";
  if (argc != 4) return 2;
  EXPECT(strcmp(quern_version(), "0.1.0") == 0 && quern_usable_cpus() >= 1 && quern_isa());
  EXPECT(quern_model_load("no/such/model", &model) == QUERN_NOT_FOUND && !model && strstr(quern_last_error(), "no/such/model"));
  EXPECT(quern_model_load(NULL, &model) == QUERN_BAD_ARGUMENT);
  if (quern_model_load(argv[1], &model) != QUERN_OK) {
    printf("%s\n", quern_last_error());
    return 1;
  }
  EXPECT(quern_model_width(model) > 0 && quern_model_max_length(model) > 2);
  EXPECT(quern_model_describe(model, &json) == QUERN_OK && json && strstr(json, "\"architecture\":\"bert\""));
  quern_string_free(json);
  EXPECT(quern_model_describe(NULL, &json) == QUERN_BAD_ARGUMENT);
  tokens(model);
  options(model);
  embeddings(model);
  ids_and_limits(model);
  errors_by_thread();
  shared_model(argv[1]);
  outputs(model);
  classifier(argv[2]);
  generation(model, argv[3]);
  o.progress = count_calls;
  o.user = &calls;
  EXPECT(quern_convert(argv[1], file, &o) == QUERN_OK && calls > 1);
  EXPECT(quern_model_load(file, &converted) == QUERN_OK);
  if (converted) {
    embeddings(converted);
    shared_model(file);
    outputs(converted);
    self_test(model, converted);
    details(model, converted);
  }
  o.progress = cancel;
  EXPECT(quern_convert(argv[1], "c_api_cancelled.q8", &o) == QUERN_BAD_ARGUMENT && remove("c_api_cancelled.q8") != 0);
  EXPECT(quern_convert(argv[1], "no/such/folder/m.q8", NULL) != QUERN_OK && strstr(quern_last_error(), "no/such/folder"));
  EXPECT(quern_convert(NULL, file, NULL) == QUERN_BAD_ARGUMENT);
  o.n_threads = -1;
  EXPECT(quern_convert(argv[1], file, &o) == QUERN_BAD_ARGUMENT);
  o = quern_convert_options_default();
  o.n_adapters = 1;
  EXPECT(quern_convert(argv[1], file, &o) == QUERN_BAD_ARGUMENT && strstr(quern_last_error(), "adapters"));
  const char *adapters[] = {NULL};
  o.adapters = adapters;
  EXPECT(quern_convert(argv[1], file, &o) == QUERN_BAD_ARGUMENT && strstr(quern_last_error(), "NULL"));
  adapters[0] = "no/such/adapter";
  EXPECT(quern_convert(argv[1], file, &o) == QUERN_NOT_FOUND && strstr(quern_last_error(), "no/such/adapter"));
  o = quern_convert_options_default();
  o.type = "q3";
  EXPECT(quern_convert(argv[1], file, &o) == QUERN_BAD_ARGUMENT && strstr(quern_last_error(), "q3"));
  quern_model_free(converted);
  quern_model_free(model);
  quern_model_free(NULL);
  quern_session_free(NULL);
  quern_string_free(NULL);
  remove(file);
  printf("%d failures\n", failures);
  return failures != 0;
}
