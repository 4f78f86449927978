// include/quern/search.h over similarity.h.
#include <cstdint>
#include <vector>

#include "c_api.h"
#include "similarity.h"

using quern::c_api::guard;
using quern::c_api::merged;
using quern::c_api::require;

namespace {

constexpr size_t kMaxWidth = size_t{1} << 20;

struct Compared {
  quern::StoredRows rows;
  quern::Comparison comparison;
  quern_compare_options options;
};

Compared compared(const void* rows, int type, size_t n, size_t width, const float* queries, size_t n_queries,
                  const quern_compare_options* given) {
  const quern_compare_options o = merged(given, quern_compare_options_default());
  require(type >= QUERN_VALUES_F32 && type <= QUERN_VALUES_UBINARY, "type must be one of quern_value_type");
  require(width > 0 && width <= kMaxWidth, "width must be 1 to 1048576");
  require(quern_rows_bytes(type, 1, width) > 0, "bits: width must be a multiple of 8");
  require(n == 0 || quern_rows_bytes(type, n, width) > 0, "rows: there are too many");
  require(n == 0 || rows, "rows must not be NULL");
  require(n_queries == 0 || queries, "queries must not be NULL");
  require(n_queries <= PTRDIFF_MAX / sizeof(float) / width, "queries: there are too many");
  require(o.metric == QUERN_DOT || o.metric == QUERN_COSINE, "metric must be one of quern_metric");
  require(o.n_threads >= 0 && o.n_threads <= 1024, "n_threads must be 0 (automatic) to 1024");
  const bool codes = type == QUERN_VALUES_INT8 || type == QUERN_VALUES_UINT8;
  require(!o.ranges || codes, "ranges: only int8 and uint8 have some");
  return {{rows, static_cast<quern::ValueType>(type), n, width, o.ranges},
          {{queries, n_queries * width},
           static_cast<quern::Metric>(o.metric),
           o.n_threads > 0 ? o.n_threads : quern_usable_cpus()},
          o};
}

}  // namespace

quern_compare_options quern_compare_options_default(void) {
  quern_compare_options o{};
  o.size = sizeof o;
  return o;
}

size_t quern_rows_bytes(int type, size_t n, size_t width) {
  if (type < QUERN_VALUES_F32 || type > QUERN_VALUES_UBINARY || width == 0 || width > kMaxWidth) return 0;
  if (type >= QUERN_VALUES_BINARY && width % 8 != 0) return 0;
  const size_t row = quern::StoredRows{nullptr, static_cast<quern::ValueType>(type), n, width}.row_bytes();
  return n > PTRDIFF_MAX / row ? 0 : n * row;
}

quern_status quern_similarities(const void* rows, int type, size_t n, size_t width, const float* queries,
                                size_t n_queries, const quern_compare_options* options, float* scores,
                                size_t scores_len) {
  return guard([&] {
    const Compared c = compared(rows, type, n, width, queries, n_queries, options);
    require(n == 0 || n_queries <= scores_len / n, "scores_len is too small for n_queries rows of n scores");
    require(scores || n == 0 || n_queries == 0, "scores must not be NULL");
    quern::similarities(c.rows, c.comparison, {scores, n * n_queries});
  });
}

quern_status quern_max_similarities(const void* rows, int type, const size_t* counts, size_t n_documents, size_t width,
                                    const float* query, size_t n_query, int mean, const quern_compare_options* options,
                                    float* scores) {
  return guard([&] {
    require(n_documents == 0 || (counts && scores), "counts and scores must not be NULL");
    size_t n = 0;
    for (size_t i = 0; i < n_documents; ++i) {
      require(counts[i] <= SIZE_MAX - n, "rows: there are too many");
      n += counts[i];
    }
    const Compared c = compared(rows, type, n, width, query, n_query, options);
    quern::StoredRows document = c.rows;
    for (size_t i = 0; i < n_documents; ++i) {
      document.n = counts[i];
      scores[i] = quern::max_similarity(document, c.comparison, mean != 0);
      if (counts[i] > 0) document.data = static_cast<const char*>(document.data) + counts[i] * document.row_bytes();
    }
  });
}

quern_status quern_rows_to_floats(const void* rows, int type, size_t n, size_t width,
                                  const quern_compare_options* options, float* out, size_t out_len) {
  return guard([&] {
    const Compared c = compared(rows, type, n, width, nullptr, 0, options);
    require(n <= out_len / width, "out_len is too small for n rows");
    require(out || n == 0, "out must not be NULL");
    quern::to_floats(c.rows, {out, n * width});
  });
}

quern_status quern_top_k(const void* rows, int type, size_t n, size_t width, const float* queries, size_t n_queries,
                         const quern_compare_options* options, size_t k, quern_match* matches) {
  return guard([&] {
    const Compared c = compared(rows, type, n, width, queries, n_queries, options);
    require(k > 0, "k must be 1 or more");
    require(
        c.options.first_row >= 0 && static_cast<uint64_t>(n) <= static_cast<uint64_t>(INT64_MAX - c.options.first_row),
        "first_row: expected 0 or more, and rows that can be numbered");
    require(n_queries <= PTRDIFF_MAX / sizeof(quern_match) / k, "k: there is no room for so many matches");
    require(matches || n_queries == 0, "matches must not be NULL");
    std::vector<quern::Match> all(n_queries * k);
    for (size_t i = 0; i < all.size(); ++i) all[i] = {matches[i].row, matches[i].score};
    quern::top_k(c.rows, c.comparison, c.options.first_row, k, all);
    for (size_t i = 0; i < all.size(); ++i) matches[i] = {all[i].row, all[i].score};
  });
}
