/* search [ROWS [WIDTH]]: quern_top_k over rows in memory (1,000,000 of 384 values, if not given) beside a plain read of the same
 * bytes on as many threads, in turn, so that what else runs on the machine meets both. The best of five rounds of each type. */
#include <pthread.h>
#include <quern.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { kRounds = 5, kBest = 10, kMaxThreads = 64 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

struct part {
  const uint64_t *begin, *end;
  uint64_t sum;
};

static void *read_part(void *of) {
  struct part *part = of;
  uint64_t a = 0, b = 0, c = 0, d = 0;
  for (const uint64_t *p = part->begin; p + 4 <= part->end; p += 4) a += p[0], b += p[1], c += p[2], d += p[3];
  part->sum = a + b + c + d;
  return NULL;
}

static double read_all(const char *data, size_t bytes, int threads) {
  pthread_t ids[kMaxThreads];
  struct part parts[kMaxThreads];
  const double start = now();
  const size_t each = bytes / (size_t)threads / 64 * 8;
  for (int i = 0; i < threads; ++i) {
    parts[i].begin = (const uint64_t *)data + (size_t)i * each;
    parts[i].end = parts[i].begin + each;
    if (pthread_create(&ids[i], NULL, read_part, &parts[i])) exit(1);
  }
  for (int i = 0; i < threads; ++i) pthread_join(ids[i], NULL);
  return (now() - start) * (double)bytes / (double)(each * 8 * (size_t)threads);
}

static double search(const char *data, int type, size_t rows, size_t width, const float *queries, size_t n, int threads) {
  quern_compare_options o = quern_compare_options_default();
  quern_match *matches = malloc(n * kBest * sizeof *matches);
  for (size_t i = 0; i < n * kBest; ++i) matches[i] = (quern_match){-1, 0};
  o.n_threads = threads;
  const double start = now();
  if (quern_top_k(data, type, rows, width, queries, n, &o, kBest, matches) != QUERN_OK) exit(1);
  const double took = now() - start;
  free(matches);
  return took;
}

static double least(double a, double b) {
  return a < b ? a : b;
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    int type;
  } types[] = {{"f32", QUERN_VALUES_F32}, {"f16", QUERN_VALUES_F16}, {"int8", QUERN_VALUES_INT8}, {"ubinary", QUERN_VALUES_UBINARY}};
  const size_t rows = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000, width = argc > 2 ? strtoul(argv[2], NULL, 10) : 384;
  const size_t most = quern_rows_bytes(QUERN_VALUES_F32, rows, width);
  char *data = most ? malloc(most) : NULL;
  float *queries = malloc(64 * width * sizeof *queries);
  if (!data || !queries) return 1;
  const int threads = quern_usable_cpus() < kMaxThreads ? quern_usable_cpus() : kMaxThreads;
  printf("%s, %s, %d threads, %zu rows of %zu values\n", quern_cpu(), quern_isa(), threads, rows, width);
  for (size_t i = 0; i < 64 * width; ++i) queries[i] = (float)(i * 2654435761u >> 8 & 0xFFFF) / 65536 - 0.5f;
  for (size_t t = 0; t < sizeof types / sizeof *types; ++t) {
    const size_t bytes = quern_rows_bytes(types[t].type, rows, width);
    for (size_t i = 0; i < bytes / 4; ++i) {
      const float value = (float)(i * 2654435761u >> 8 & 0xFFFF) / 65536 - 0.5f;
      const uint32_t halves = 0x2E662D00u ^ (uint32_t)(i * 40503u & 0x83FF83FF);
      types[t].type == QUERN_VALUES_F32 ? memcpy(data + i * 4, &value, 4) : memcpy(data + i * 4, &halves, 4);
    }
    double reading = 1e9, one = 1e9, many = 1e9;
    for (int round = 0; round < kRounds; ++round) {
      reading = least(reading, read_all(data, bytes, threads));
      one = least(one, search(data, types[t].type, rows, width, queries, 1, threads));
      many = least(many, search(data, types[t].type, rows, width, queries, 64, threads));
    }
    printf("%-8s one query %7.2f ms, %6.2f GB/s, %3.0f %% of a read's %6.2f GB/s; 64 queries %7.1f ms, %5.1f million pairs/s\n",
           types[t].name, one * 1e3, (double)bytes / one / 1e9, 100 * reading / one, (double)bytes / reading / 1e9, many * 1e3,
           64 * (double)rows / many / 1e6);
  }
  free(queries);
  free(data);
  return 0;
}
