#include "heads/pooling.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "error.h"

namespace quern {
namespace {

void add_rows(const KernelTable& kernels, const Tensor& hidden, float* out) {
  std::fill(out, out + hidden.cols, 0.0f);
  for (int64_t t = 0; t < hidden.rows; ++t) kernels.axpy(1.0f, hidden.row(t), out, hidden.cols);
}

void divide(float* x, int64_t n, float by) {
  for (int64_t i = 0; i < n; ++i) x[i] /= by;
}

void cls(const KernelTable&, const Tensor& h, float* out) {
  std::memcpy(out, h.row(0), static_cast<size_t>(h.cols) * sizeof(float));
}

void last(const KernelTable&, const Tensor& h, float* out) {
  std::memcpy(out, h.row(h.rows - 1), static_cast<size_t>(h.cols) * sizeof(float));
}

void max(const KernelTable& kernels, const Tensor& h, float* out) {
  cls(kernels, h, out);
  for (int64_t t = 1; t < h.rows; ++t)
    for (int64_t i = 0; i < h.cols; ++i) out[i] = std::max(out[i], h.row(t)[i]);
}

void mean(const KernelTable& kernels, const Tensor& h, float* out) {
  add_rows(kernels, h, out);
  divide(out, h.cols, static_cast<float>(h.rows));
}

void mean_sqrt_len(const KernelTable& kernels, const Tensor& h, float* out) {
  add_rows(kernels, h, out);
  divide(out, h.cols, std::sqrt(static_cast<float>(h.rows)));
}

void weighted_mean(const KernelTable& kernels, const Tensor& h, float* out) {  // token t of 1 … L weighs t
  std::fill(out, out + h.cols, 0.0f);
  for (int64_t t = 0; t < h.rows; ++t) kernels.axpy(static_cast<float>(t + 1), h.row(t), out, h.cols);
  divide(out, h.cols, static_cast<float>(h.rows) * static_cast<float>(h.rows + 1) / 2);
}

struct Mode {
  const char* name;
  Pooling pool;
};
// In the order of concatenation; a new mode is a function and its line here.
constexpr Mode kModes[] = {{"cls", cls},
                           {"max", max},
                           {"mean", mean},
                           {"mean_sqrt_len_tokens", mean_sqrt_len},
                           {"weightedmean", weighted_mean},
                           {"lasttoken", last}};

}  // namespace

std::vector<std::string> pooling_modes() {
  std::vector<std::string> names;
  for (const Mode& mode : kModes) names.emplace_back(mode.name);
  return names;
}

Pooling find_pool(const std::string& mode, const std::string& name) {
  std::string known;
  for (const Mode& m : kModes) {
    if (mode == m.name) return m.pool;
    known += (known.empty() ? "" : ", ") + std::string(m.name);
  }
  throw Error(Status::bad_argument, name + ": pooling mode \"" + mode + "\" does not exist (there are: " + known + ")");
}

void normalize(const KernelTable& kernels, float* x, int64_t n) {
  const float length = std::max(std::sqrt(kernels.dot(x, x, n)), 1e-12f);
  for (int64_t i = 0; i < n; ++i) x[i] /= length;
}

}  // namespace quern
