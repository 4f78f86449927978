#include "adapters/lora_matrices.h"

#include <algorithm>

#include "error.h"
#include "io/json.h"

namespace quern {
namespace {

// n × m values → m × n.
std::vector<float> transposed(const std::vector<float>& from, int64_t n, int64_t m) {
  std::vector<float> to(from.size());
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < m; ++j) to[static_cast<size_t>(j * n + i)] = from[static_cast<size_t>(i * m + j)];
  return to;
}

}  // namespace

std::string tensor_of_module(const WeightTensor& tensor, const std::string& name) {
  return *tensor.file + ": tensor '" + printable(tensor.name) + "' of " + printable(name);
}

void expect_shape(const WeightTensor& tensor, std::initializer_list<int64_t> shape, const std::string& layer) {
  if (!std::equal(tensor.shape.begin(), tensor.shape.end(), shape.begin(), shape.end()))
    refuse_shape(tensor, shape_text(std::data(shape), shape.size()), layer);
}

LoraMatrices lora_matrices(const PeftConfig& config, const std::string& name, const PeftModule& m, int64_t rows,
                           int64_t K) {
  const bool table = m.embedding_a || m.embedding_b;
  const std::optional<WeightTensor>&a = table ? m.embedding_a : m.a, &b = table ? m.embedding_b : m.b;
  if (!a || !b)
    throw Error(Status::bad_file,
                tensor_of_module(a ? *a : m.any(), name) + " is there without the other of LoRA's two matrices");
  const int64_t r = a->shape.empty() ? 0 : a->shape[0];
  expect_shape(*a, {r, table ? rows : K}, name);
  expect_shape(*b, {table ? K : rows, r}, name);
  if (static_cast<double>(r) != config.rank_of(name))
    throw Error(Status::bad_file, tensor_of_module(*a, name) + " has rank " + std::to_string(r) +
                                      ", but r and rank_pattern of " + config.path + " say " +
                                      std::to_string(static_cast<int64_t>(config.rank_of(name))));
  std::vector<float> first = finite_values(*a), second = finite_values(*b);
  if (!table) return {std::move(second), std::move(first), r, K};
  return {transposed(first, r, rows), transposed(second, K, r), r, K};
}

}  // namespace quern
