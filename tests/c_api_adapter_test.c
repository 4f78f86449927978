/* adapter.h from C99: c_api_adapter_test FOLDER CLASSIFIER DECODER, of which the last lies in golden/models, beside which golden/adapters
 * has adapters of the other two. Says what failed and returns 1. */
#include <quern.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "c_api_expect.h"

enum { LABELS = 3, N = 3 };
static const char *const texts[N] = {"the quick fox", "robust embeddings", "the quick fox"};
static size_t lengths[N];

static quern_adapter *adapter(const quern_model *model, const char *decoder, const char *name) {
  char path[4096];
  quern_adapter *made = NULL;
  snprintf(path, sizeof path, "%s/../../adapters/%s", decoder, name);
  if (quern_adapter_load(model, path, &made) != QUERN_OK) printf("%s\n", quern_last_error());
  EXPECT(made && quern_adapter_bytes(made) > 0);
  return made;
}

static void scheduled(const quern_model *model, const quern_classify_options *options, const float *expected) {
  quern_text_scheduler *scheduler = NULL;
  quern_text_request *request = NULL;
  float scores[N * LABELS];
  int done = 0;
  EXPECT(quern_text_scheduler_new(model, NULL, &scheduler) == QUERN_OK);
  EXPECT(quern_text_scheduler_classify(scheduler, texts, lengths, NULL, NULL, N, options, NULL, &request) == QUERN_OK);
  EXPECT(quern_text_request_wait(request, -1, &done) == QUERN_OK && done);
  EXPECT(quern_text_request_scores(request, scores, N * LABELS) == QUERN_OK && memcmp(scores, expected, sizeof scores) == 0);
  quern_text_request_free(request);
  quern_text_scheduler_free(scheduler);
}

static void classifier(const char *path, const char *decoder) {
  quern_model *model = NULL, *other = NULL;
  quern_session *session = NULL, *of_other = NULL;
  float plain[N * LABELS], with[N * LABELS], mixed[N * LABELS];
  const size_t row = LABELS * sizeof(float);
  char *one = NULL, *two = NULL;
  EXPECT(quern_model_load(path, &model) == QUERN_OK && quern_model_load(path, &other) == QUERN_OK);
  EXPECT(quern_session_new(model, 2, &session) == QUERN_OK && quern_session_new(other, 1, &of_other) == QUERN_OK);
  quern_adapter *first = adapter(model, decoder, "bert"), *second = adapter(model, decoder, "bert_ffn");
  quern_classify_options o = quern_classify_options_default();
  EXPECT(!o.adapter && !o.adapters);
  EXPECT(quern_classify(session, texts, lengths, NULL, NULL, N, &o, plain, N * LABELS, NULL) == QUERN_OK);
  o.adapter = first;
  EXPECT(quern_classify(session, texts, lengths, NULL, NULL, N, &o, with, N * LABELS, NULL) == QUERN_OK);
  EXPECT(memcmp(plain, with, row) != 0 && memcmp(with, with + 2 * LABELS, row) == 0);
  EXPECT(quern_classify(of_other, texts, lengths, NULL, NULL, N, &o, with, N * LABELS, NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(strstr(quern_last_error(), "another model") != NULL);
  const quern_adapter *each[N];
  each[0] = NULL, each[1] = second, each[2] = first;
  o.adapters = each;
  EXPECT(quern_classify(session, texts, lengths, NULL, NULL, N, &o, mixed, N * LABELS, NULL) == QUERN_OK);
  EXPECT(memcmp(mixed, plain, row) == 0 && memcmp(mixed + 2 * LABELS, with, row) == 0);
  EXPECT(memcmp(mixed + LABELS, plain + LABELS, row) != 0);
  scheduled(model, &o, mixed);
  o = quern_classify_options_default();
  EXPECT(quern_adapter_fingerprint(first, &one) == QUERN_OK && quern_adapter_fingerprint(second, &two) == QUERN_OK);
  EXPECT(strlen(one) == 32 && strcmp(one, two) != 0);
  EXPECT(quern_adapter_note(first, 0) && strstr(quern_adapter_note(first, 0), "tiny/bert") && !quern_adapter_note(first, 1));
  EXPECT(quern_adapter_fingerprint(NULL, &one) == QUERN_BAD_ARGUMENT && !quern_adapter_note(NULL, 0) && !quern_adapter_bytes(NULL));
  quern_string_free(one);
  quern_string_free(two);
  quern_model_free(model); /* which the adapters keep */
  quern_model_free(other);
  quern_session_free(session);
  quern_session_free(of_other);
  quern_adapter_free(first);
  quern_adapter_free(second);
}

static int keep(void *user, const quern_token_event *event) {
  if (event->token >= 0) strncat(user, event->text, 200);
  return 0;
}

static void decoder_(const char *path) {
  quern_model *model = NULL;
  quern_generator *generator = NULL;
  quern_generation_scheduler *scheduler = NULL;
  quern_generation_request *request = NULL;
  int32_t ids[64];
  size_t n = 0;
  char plain[4096] = "", with[4096] = "", again[4096] = "", apart[4096] = "";
  EXPECT(quern_model_load(path, &model) == QUERN_OK);
  EXPECT(quern_tokenize(model, texts[0], lengths[0], NULL, ids, 64, &n) == QUERN_OK);
  EXPECT(quern_generator_new(model, NULL, &generator) == QUERN_OK);
  quern_adapter *poet = adapter(model, path, "llama");
  quern_generation_options o = quern_generation_options_default();
  o.temperature = 0;
  o.max_tokens = 12;
  o.ignore_end = 1;
  EXPECT(quern_generate(generator, ids, n, &o, keep, plain) == QUERN_OK);
  o.adapter = poet;
  EXPECT(quern_generate(generator, ids, n, &o, keep, with) == QUERN_OK && strcmp(plain, with) != 0);
  EXPECT(quern_generation_scheduler_new(model, NULL, NULL, &scheduler) == QUERN_OK);
  EXPECT(quern_generation_scheduler_add(scheduler, ids, n, &o, 1, NULL, &request) == QUERN_OK);
  quern_adapter_free(poet); /* the request keeps it */
  for (int done = 0; !done;) {
    const quern_token_event *event = NULL;
    EXPECT(quern_generation_request_next(request, -1, &event, &done) == QUERN_OK);
    if (event) keep(again, event);
  }
  EXPECT(strcmp(again, with) == 0);
  o.adapter = NULL;
  EXPECT(quern_generate(generator, ids, n, &o, keep, apart) == QUERN_OK && strcmp(plain, apart) == 0);
  quern_generation_request_free(request);
  quern_generation_scheduler_free(scheduler);
  quern_generator_free(generator);
  quern_model_free(model);
}

static void refused(const char *path) {
  quern_model *model = NULL;
  quern_adapter *made = NULL;
  EXPECT(quern_model_load(path, &model) == QUERN_OK);
  EXPECT(quern_adapter_load(model, "no/such/adapter", &made) == QUERN_NOT_FOUND && !made);
  EXPECT(quern_adapter_load(model, path, &made) == QUERN_NOT_FOUND && strstr(quern_last_error(), "adapter_config.json"));
  EXPECT(quern_adapter_load(NULL, path, &made) == QUERN_BAD_ARGUMENT && quern_adapter_load(model, NULL, &made) == QUERN_BAD_ARGUMENT);
  quern_adapter_free(NULL);
  quern_model_free(model);
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  for (size_t i = 0; i < N; ++i) lengths[i] = strlen(texts[i]);
  classifier(argv[2], argv[3]);
  decoder_(argv[3]);
  refused(argv[1]);
  printf("%d failures\n", failures);
  return failures != 0;
}
