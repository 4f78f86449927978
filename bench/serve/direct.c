/* What a server is measured against: the same work through quern.h, as one JSON object.
 *
 * direct embed MODEL TEXTS N          one text a call, N calls: milliseconds of each
 * direct generate MODEL PROMPTS N M   N sequences at once, M tokens each: tokens per second, prompts included */
#define _POSIX_C_SOURCE 200809L
#include <quern.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void check(quern_status status) {
  if (status == QUERN_OK) return;
  fprintf(stderr, "direct: %s\n", quern_last_error());
  exit(1);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static char **lines_of(const char *path, size_t *n) {
  FILE *file = fopen(path, "rb");
  if (!file) {
    fprintf(stderr, "direct: cannot read %s\n", path);
    exit(2);
  }
  char **lines = NULL, *line = NULL;
  size_t room = 0;
  ssize_t length;
  *n = 0;
  while ((length = getline(&line, &room, file)) > 0) {
    line[strcspn(line, "\n")] = 0;
    lines = realloc(lines, (*n + 1) * sizeof *lines);
    lines[(*n)++] = strdup(line);
  }
  free(line);
  fclose(file);
  return lines;
}

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static void embed(const quern_model *model, char **texts, size_t n_texts, size_t calls) {
  quern_session *session;
  int64_t width;
  check(quern_session_new(model, 0, &session));
  check(quern_embed_width(session, NULL, &width));
  float *vector = malloc((size_t)width * sizeof *vector);
  double *ms = malloc(calls * sizeof *ms);
  for (size_t i = 0; i < calls; ++i) {
    const char *text = texts[i % n_texts];
    const size_t length = strlen(text);
    const double begin = now();
    check(quern_embed(session, &text, &length, 1, NULL, vector, (size_t)width, NULL));
    ms[i] = (now() - begin) * 1e3;
  }
  qsort(ms, calls, sizeof *ms, by_value);
  printf("{\"calls\": %zu, \"p50_ms\": %.4f, \"p99_ms\": %.4f}\n", calls, ms[calls / 2], ms[calls * 99 / 100]);
  free(ms);
  free(vector);
  quern_session_free(session);
}

static int count(void *user, const quern_token_event *event) {
  if (event->token >= 0) ++*(size_t *)user;
  return 0;
}

static void generate(const quern_model *model, char **prompts, size_t n_prompts, size_t sequences, int64_t tokens) {
  quern_generator *generator;
  quern_generator_options options = quern_generator_options_default();
  options.sequences = (int64_t)sequences;
  check(quern_generator_new(model, &options, &generator));
  const double begin = now();
  for (size_t i = 0; i < sequences; ++i) {
    quern_generation_options o = quern_generation_options_default();
    o.max_tokens = tokens;
    o.seed = i;
    o.ignore_end = 1;
    const size_t size = strlen(prompts[i % n_prompts]) + 64;
    char *conversation = malloc(2 * size);
    int at = sprintf(conversation, "[{\"role\":\"user\",\"content\":\"");
    for (const char *c = prompts[i % n_prompts]; *c; ++c) {
      if (*c == '"' || *c == '\\') conversation[at++] = '\\';
      if ((unsigned char)*c >= 32) conversation[at++] = *c;
    }
    at += sprintf(conversation + at, "\"}]");
    int32_t *ids;
    size_t n;
    int64_t sequence;
    check(quern_chat_tokens(model, conversation, (size_t)at, &ids, &n));
    check(quern_generator_add(generator, ids, n, &o, &sequence));
    quern_ids_free(ids);
    free(conversation);
  }
  size_t running = sequences, generated = 0;
  while (running > 0) check(quern_generator_step(generator, count, &generated, &running));
  const double seconds = now() - begin;
  printf("{\"tokens\": %zu, \"seconds\": %.3f, \"tokens_per_s\": %.2f}\n", generated, seconds, (double)generated / seconds);
  quern_generator_free(generator);
}

int main(int argc, char **argv) {
  if (argc < 5 || (strcmp(argv[1], "embed") != 0 && argc < 6)) {
    fprintf(stderr, "usage: direct embed MODEL TEXTS N | direct generate MODEL PROMPTS N M\n");
    return 2;
  }
  quern_model *model;
  check(quern_model_load(argv[2], &model));
  size_t n;
  char **lines = lines_of(argv[3], &n);
  if (strcmp(argv[1], "embed") == 0)
    embed(model, lines, n, (size_t)atol(argv[4]));
  else
    generate(model, lines, n, (size_t)atol(argv[4]), atol(argv[5]));
  for (size_t i = 0; i < n; ++i) free(lines[i]);
  free(lines);
  quern_model_free(model);
  return 0;
}
