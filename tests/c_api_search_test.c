/* quern.h's vectors compared with vectors, from C99. Says what failed and returns 1. */
#include <math.h>
#include <quern.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "c_api_expect.h"

enum { kRows = 5000, kWidth = 72, kQueries = 3, kBest = 7 };

static float noise(unsigned *state) {
  *state = *state * 1664525u + 1013904223u;
  return (float)(*state >> 8) / 16777216.0f - 0.5f;
}

static float rows[kRows * kWidth], queries[kQueries * kWidth], scores[kQueries * kRows], again[kQueries * kRows];

static void clear(quern_match *matches) {
  for (int i = 0; i < kQueries * kBest; ++i) matches[i] = (quern_match){-1, 0};
}

static int same(const quern_match *a, const quern_match *b) {
  for (int i = 0; i < kQueries * kBest; ++i)
    if (a[i].row != b[i].row || memcmp(&a[i].score, &b[i].score, sizeof(float))) return 0;
  return 1;
}

static float score_of(int q, int i, int cosine) {
  double dot = 0, x = 0, y = 0;
  for (int j = 0; j < kWidth; ++j) {
    dot += (double)rows[i * kWidth + j] * queries[q * kWidth + j];
    x += (double)rows[i * kWidth + j] * rows[i * kWidth + j];
    y += (double)queries[q * kWidth + j] * queries[q * kWidth + j];
  }
  return (float)(cosine ? x * y > 0 ? dot / sqrt(x * y) : 0 : dot);
}

static void exact(void) {
  quern_compare_options o = quern_compare_options_default();
  for (int metric = QUERN_DOT; metric <= QUERN_COSINE; ++metric) {
    o.metric = metric;
    o.n_threads = 1;
    EXPECT(quern_similarities(rows, QUERN_VALUES_F32, kRows, kWidth, queries, kQueries, &o, scores, kQueries * kRows) == QUERN_OK);
    float worst = 0;
    for (int q = 0; q < kQueries; ++q)
      for (int i = 0; i < kRows; ++i) worst = fmaxf(worst, fabsf(scores[q * kRows + i] - score_of(q, i, metric)));
    EXPECT(worst < 1e-5f);
    o.n_threads = 4;
    EXPECT(quern_similarities(rows, QUERN_VALUES_F32, kRows, kWidth, queries, kQueries, &o, again, kQueries * kRows) == QUERN_OK);
    EXPECT(memcmp(scores, again, sizeof scores) == 0);
    for (int q = 0; q < kQueries; ++q) { /* nor do other queries, and other rows */
      EXPECT(quern_similarities(rows, QUERN_VALUES_F32, kRows, kWidth, queries + q * kWidth, 1, &o, again, kRows) == QUERN_OK);
      EXPECT(memcmp(scores + q * kRows, again, kRows * sizeof(float)) == 0);
    }
    for (int i = 0; i < kRows; i += 97) {
      EXPECT(quern_similarities(rows + i * kWidth, QUERN_VALUES_F32, 1, kWidth, queries, 1, &o, again, 1) == QUERN_OK);
      EXPECT(memcmp(scores + i, again, sizeof(float)) == 0);
    }
    /* The best of the scores, in order; equal ones by their row. */
    quern_match whole[kQueries * kBest], parts[kQueries * kBest];
    clear(whole);
    EXPECT(quern_top_k(rows, QUERN_VALUES_F32, kRows, kWidth, queries, kQueries, &o, kBest, whole) == QUERN_OK);
    for (int q = 0; q < kQueries; ++q)
      for (int k = 0; k < kBest; ++k) {
        const quern_match m = whole[q * kBest + k];
        int before = 0;
        for (int i = 0; i < kRows; ++i) {
          const float s = scores[q * kRows + i];
          before += s > m.score || (s == m.score && i < m.row);
        }
        EXPECT(before == k && m.score == scores[q * kRows + m.row]);
      }
    for (int threads = 1; threads <= 3; ++threads) { /* blocks and threads do not matter */
      clear(parts);
      o.n_threads = threads;
      for (int first = 0; first < kRows; first += 1111) {
        const int n = first + 1111 < kRows ? 1111 : kRows - first;
        o.first_row = first;
        EXPECT(quern_top_k(rows + first * kWidth, QUERN_VALUES_F32, (size_t)n, kWidth, queries, kQueries, &o, kBest, parts) == QUERN_OK);
      }
      EXPECT(same(whole, parts));
      o.first_row = 0;
    }
  }
}

static void late_interaction(void) {
  const size_t counts[3] = {2, 0, kRows - 2};
  float found[3];
  EXPECT(quern_similarities(rows, QUERN_VALUES_F32, kRows, kWidth, queries, 2, NULL, scores, 2 * kRows) == QUERN_OK);
  EXPECT(quern_max_similarities(rows, QUERN_VALUES_F32, counts, 3, kWidth, queries, 2, 0, NULL, found) == QUERN_OK);
  float expected = 0;
  for (int q = 0; q < 2; ++q) expected += fmaxf(scores[q * kRows], scores[q * kRows + 1]);
  EXPECT(fabsf(found[0] - expected) < 1e-5f);
  EXPECT(found[1] == 0);
  expected = 0;
  for (int q = 0; q < 2; ++q) {
    float best = scores[q * kRows + 2];
    for (int i = 3; i < kRows; ++i) best = fmaxf(best, scores[q * kRows + i]);
    expected += best / 2;
  }
  EXPECT(quern_max_similarities(rows, QUERN_VALUES_F32, counts, 3, kWidth, queries, 2, 1, NULL, found) == QUERN_OK);
  EXPECT(fabsf(found[2] - expected) < 1e-4f);
  EXPECT(quern_max_similarities(rows, QUERN_VALUES_F32, NULL, 3, kWidth, queries, 2, 1, NULL, found) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_max_similarities(rows, 9, counts, 3, kWidth, queries, 2, 1, NULL, found) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_max_similarities(NULL, QUERN_VALUES_F32, counts, 3, kWidth, queries, 2, 1, NULL, found) == QUERN_BAD_ARGUMENT);
}

static void smaller(void) {
  static int8_t codes[kRows * kWidth];
  static uint8_t bits[kRows * kWidth / 8], signed_bits[kRows * kWidth / 8];
  float ranges[2 * kWidth];
  static float decoded[kRows * kWidth];
  for (int j = 0; j < kWidth; ++j) ranges[j] = -0.5f, ranges[kWidth + j] = 0.5f + (float)j / 100;
  for (int i = 0; i < kRows * kWidth; ++i) {
    const float step = (ranges[kWidth + i % kWidth] + 0.5f) / 255;
    codes[i] = (int8_t)(i % 256 - 128);
    decoded[i] = -0.5f + (float)(codes[i] + 128) * step;
    bits[i / 8] |= (uint8_t)((rows[i] > 0) << (7 - i % 8));
  }
  for (int i = 0; i < kRows * kWidth / 8; ++i) signed_bits[i] = (uint8_t)(bits[i] ^ 0x80);
  quern_compare_options o = quern_compare_options_default();
  o.ranges = ranges;
  EXPECT(quern_similarities(codes, QUERN_VALUES_INT8, kRows, kWidth, queries, kQueries, &o, scores, kQueries * kRows) == QUERN_OK);
  EXPECT(quern_similarities(decoded, QUERN_VALUES_F32, kRows, kWidth, queries, kQueries, NULL, again, kQueries * kRows) == QUERN_OK);
  for (int i = 0; i < kQueries * kRows; ++i) EXPECT(fabsf(scores[i] - again[i]) < 1e-4f);
  EXPECT(quern_rows_to_floats(codes, QUERN_VALUES_INT8, kRows, kWidth, &o, again, kQueries * kRows) == QUERN_BAD_ARGUMENT);
  static float back[kRows * kWidth];
  EXPECT(quern_rows_to_floats(codes, QUERN_VALUES_INT8, kRows, kWidth, &o, back, kRows * kWidth) == QUERN_OK);
  for (int i = 0; i < kRows * kWidth; ++i) EXPECT(fabsf(back[i] - decoded[i]) < 1e-6f);
  EXPECT(quern_rows_to_floats(signed_bits, QUERN_VALUES_BINARY, kRows, kWidth, NULL, back, kRows * kWidth) == QUERN_OK);
  for (int i = 0; i < kRows * kWidth; ++i) EXPECT(back[i] == (rows[i] > 0 ? 1 : -1));
  /* Without ranges a value is its code. */
  EXPECT(quern_similarities(codes, QUERN_VALUES_INT8, 1, kWidth, queries, 1, NULL, scores, 1) == QUERN_OK);
  double dot = 0;
  for (int j = 0; j < kWidth; ++j) dot += (double)codes[j] * queries[j];
  EXPECT(fabs(scores[0] - dot) < 1e-3);
  EXPECT(quern_similarities(bits, QUERN_VALUES_UBINARY, kRows, kWidth, queries, kQueries, NULL, scores, kQueries * kRows) == QUERN_OK);
  EXPECT(quern_similarities(signed_bits, QUERN_VALUES_BINARY, kRows, kWidth, queries, kQueries, NULL, again, kQueries * kRows) == QUERN_OK);
  EXPECT(memcmp(scores, again, sizeof scores) == 0);
  for (int q = 0; q < kQueries; ++q)
    for (int i = 0; i < kRows; ++i) {
      int differ = 0;
      for (int j = 0; j < kWidth; ++j) differ += (rows[i * kWidth + j] > 0) != (queries[q * kWidth + j] > 0);
      EXPECT(scores[q * kRows + i] == 1 - 2 * (float)differ / kWidth);
    }
  /* Halves, with those that are not normal. */
  const uint16_t halves[8] = {0x3C00, 0xBC00, 0x0001, 0x8001, 0x7BFF, 0x0400, 0x0000, 0x3555};
  const float values[8] = {1, -1, 0x1p-24f, -0x1p-24f, 65504, 0x1p-14f, 0, 0.333251953125f};
  for (int j = 0; j < 8; ++j) {
    float one[8] = {0};
    one[j] = 1;
    EXPECT(quern_similarities(halves, QUERN_VALUES_F16, 1, 8, one, 1, NULL, scores, 1) == QUERN_OK && scores[0] == values[j]);
  }
}

static void edges(void) {
  quern_match m[4] = {{-1, 0}, {-1, 0}, {-1, 0}, {-1, 0}};
  const float zero[8] = {0}, none[16] = {NAN, 0, 0, 0, 0, 0, 0, 0, 1};
  const float query[8] = {1};
  quern_compare_options o = quern_compare_options_default();
  /* Fewer rows than k; what is no number never matches; equal scores by their row. */
  EXPECT(quern_top_k(none, QUERN_VALUES_F32, 2, 8, query, 1, NULL, 4, m) == QUERN_OK);
  EXPECT(m[0].row == 1 && m[0].score == 1 && m[1].row == -1 && m[3].row == -1);
  o.metric = QUERN_COSINE;
  EXPECT(quern_similarities(zero, QUERN_VALUES_F32, 1, 8, query, 1, &o, scores, 1) == QUERN_OK && scores[0] == 0);
  EXPECT(quern_top_k(NULL, QUERN_VALUES_F32, 0, 8, query, 1, NULL, 4, m) == QUERN_OK && m[0].row == 1);
  EXPECT(quern_rows_bytes(QUERN_VALUES_UBINARY, 3, 16) == 6 && quern_rows_bytes(QUERN_VALUES_F16, 3, 16) == 96);
  EXPECT(quern_rows_bytes(QUERN_VALUES_BINARY, 3, 12) == 0 && quern_rows_bytes(6, 3, 16) == 0);
  EXPECT(quern_rows_bytes(QUERN_VALUES_F32, SIZE_MAX, 16) == 0);
  EXPECT(quern_top_k(zero, QUERN_VALUES_F32, 1, 8, query, 1, NULL, 0, m) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_top_k(zero, 9, 1, 8, query, 1, NULL, 4, m) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_top_k(NULL, QUERN_VALUES_F32, 1, 8, query, 1, NULL, 4, m) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_top_k(zero, QUERN_VALUES_F32, 1, 8, NULL, 1, NULL, 4, m) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_top_k(zero, QUERN_VALUES_F32, 1, 8, query, 1, NULL, 4, NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_top_k(zero, QUERN_VALUES_BINARY, 1, 12, query, 1, NULL, 4, m) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_top_k(zero, QUERN_VALUES_F32, SIZE_MAX, 8, query, 1, NULL, 4, m) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_similarities(zero, QUERN_VALUES_F32, 1, 8, query, 1, NULL, scores, 0) == QUERN_BAD_ARGUMENT);
  o.metric = 7;
  EXPECT(quern_top_k(zero, QUERN_VALUES_F32, 1, 8, query, 1, &o, 4, m) == QUERN_BAD_ARGUMENT);
  o = quern_compare_options_default();
  o.ranges = zero;
  EXPECT(quern_top_k(zero, QUERN_VALUES_F32, 1, 4, query, 1, &o, 4, m) == QUERN_BAD_ARGUMENT);
  o.ranges = NULL;
  o.first_row = -1;
  EXPECT(quern_top_k(zero, QUERN_VALUES_F32, 1, 8, query, 1, &o, 4, m) == QUERN_BAD_ARGUMENT);
}

int main(void) {
  unsigned state = 5;
  for (int i = 0; i < kRows * kWidth; ++i) rows[i] = noise(&state);
  for (int i = 0; i < kQueries * kWidth; ++i) queries[i] = noise(&state);
  memcpy(rows + 4000 * kWidth, rows + 17 * kWidth, kWidth * sizeof(float)); /* equal scores */
  memcpy(queries, rows + 17 * kWidth, kWidth * sizeof(float));
  exact();
  late_interaction();
  smaller();
  edges();
  return failures ? 1 : 0;
}
