#include "models/chosen_rows.h"

#include <cstring>
#include <vector>

#include "error.h"

namespace quern {
namespace {

constexpr int64_t most_rows = 1 << 24, most_values = int64_t{1} << 32;  // 16 GB

[[noreturn]] void wrong(const WeightTensor& tensor, const std::string& expected, const std::string& found) {
  throw Error(Status::bad_file,
              *tensor.file + ": tensor " + tensor.name + ": expected " + expected + ", found " + found);
}

int64_t whole_number(const WeightTensor& tensor, int64_t i) {
  if (tensor.dtype == "I64") {
    int64_t value;
    std::memcpy(&value, tensor.data.data() + i * 8, 8);
    return value;
  }
  if (tensor.dtype == "I32") {
    int32_t value;
    std::memcpy(&value, tensor.data.data() + i * 4, 4);
    return value;
  }
  wrong(tensor, "dtype I32 or I64", tensor.dtype);
}

void read_row(const WeightTensor& table, int64_t row, int64_t K, float* out) {
  if (table.dtype != "I8") return read_floats(table, row * K, K, out);
  for (int64_t k = 0; k < K; ++k)
    out[k] = static_cast<float>(static_cast<int8_t>(table.data[static_cast<size_t>(row * K + k)]));
}

}  // namespace

WeightTensor chosen_rows(const WeightTensor& table, const std::optional<WeightTensor>& rows,
                         const std::optional<WeightTensor>& scales, WeightStore& store) {
  if (table.shape.size() != 2) wrong(table, "a matrix", shape_text(table.shape.data(), table.shape.size()));
  const int64_t R = table.shape[0], K = table.shape[1];
  const int64_t N = rows ? rows->elements() : R;
  if (rows) expect_shape(*rows, {N});
  if (scales) expect_shape(*scales, {N});
  if (N > most_rows || (K > 0 && N > most_values / K))
    wrong(table, "at most " + std::to_string(most_rows) + " rows and 2^32 values",
          std::to_string(N) + " rows of " + std::to_string(K));
  float* const out = store.floats(static_cast<size_t>(N * K));
  for (int64_t i = 0; i < N; ++i) {
    const int64_t row = rows ? whole_number(*rows, i) : i;
    if (row < 0 || row >= R)
      wrong(*rows, "rows 0 to " + std::to_string(R - 1), std::to_string(row) + " for token " + std::to_string(i));
    read_row(table, row, K, out + i * K);
    if (!scales) continue;
    float scale;
    read_floats(*scales, i, 1, &scale);
    for (int64_t k = 0; k < K; ++k) out[i * K + k] *= scale;
  }
  return {table.name, "F32", {N, K}, std::as_bytes(std::span(out, static_cast<size_t>(N * K))), table.file};
}

}  // namespace quern
