// Stored vectors compared with others: exact scores and the nearest rows, for search.h. Rows are read once for all
// queries.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace quern {

enum class ValueType : uint8_t { f32, f16, int8, uint8, binary, ubinary };
enum class Metric : uint8_t { dot, cosine };

// n rows as they lie in memory.
struct StoredRows {
  const void* data = nullptr;
  ValueType type = ValueType::f32;
  size_t n = 0, width = 0;
  const float* ranges = nullptr;  // of int8 and uint8: the least values, then the greatest; null: values are codes
  size_t row_bytes() const;
};

struct Comparison {
  std::span<const float> queries;  // rows of StoredRows::width
  Metric metric = Metric::dot;
  int threads = 1;
};

struct Match {
  int64_t row = -1;
  float score = 0;
};

// scores[q * rows.n + i]
void similarities(const StoredRows& rows, const Comparison& c, std::span<float> scores);

// matches: k of each query, which take part; nearest first, of equal ones the lower row, -1 behind the last one.
void top_k(const StoredRows& rows, const Comparison& c, int64_t first_row, size_t k, std::span<Match> matches);

// Late interaction: of each query the nearest row's score, their sum, or mean: their mean. 0 without rows or queries.
float max_similarity(const StoredRows& rows, const Comparison& c, bool mean);

void to_floats(const StoredRows& rows, std::span<float> out);  // bits as 1 and -1

}  // namespace quern
