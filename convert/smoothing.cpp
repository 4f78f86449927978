#include "convert/smoothing.h"

#include <algorithm>
#include <cmath>

#include "dispatch.h"
#include "exact_math.h"

namespace quern {
namespace {

// The expected error is that of uniform rounding, step²/12 for every value:
//   activations  A = mean over rows of the sum over groups of (range/255)² · sum over the group's k of |w_k|²/m_k²
//   weights      B = sum over groups of (2·amax/steps)² · sum over the group's k of variance_k · m_k²
// A factor m_k costs by the ranges that channel k sets and by the weights' errors that it enlarges, and pays by the
// activations' errors that it shrinks and the weights' amax that channel k sets. At the optimum both shares are equal
// for every channel; the search moves each factor towards that, by a power of the quotient.
class Search {
 public:
  Search(const SmoothingInput& in, Pool& pool)
      : in_(in),
        pool_(pool),
        K_(static_cast<size_t>(in.K)),
        S_(in.samples.size() / K_),
        N_(in.weights.size() / K_),
        groups_(static_cast<size_t>((in.K + in.group - 1) / in.group)),
        row_groups_(static_cast<size_t>((in.K + in.activation_group - 1) / in.activation_group)),
        norm_(K_, 0.0f),
        inverse_(K_),
        rows_(S_ * row_groups_),
        peaks_(N_ * groups_) {
    for (size_t n = 0; n < N_; ++n)
      for (size_t k = 0; k < K_; ++k) norm_[k] += in.weights[n * K_ + k] * in.weights[n * K_ + k];
  }

  std::vector<float> run() {
    std::vector<float> m = start(), best = m;
    double least = INFINITY;
    constexpr int kSteps = 40;
    for (int step = 0; step < kSteps; ++step) {
      const double error = evaluate(m);
      if (error < least) {
        least = error;
        best = m;
      }
      const double floor = 0.1 / static_cast<double>(K_), rate = 0.35 * (1.0 - static_cast<double>(step) / kSteps);
      for (size_t k = 0; k < K_; ++k)
        m[k] = std::clamp(m[k] * static_cast<float>(power((gain_[k] + floor) / (cost_[k] + floor), rate)), 1e-4f, 1e4f);
    }
    return std::isfinite(least) ? best : std::vector<float>(K_, 1.0f);
  }

 private:
  struct Range {
    float low, high;
    size_t low_at, high_at;
  };
  struct Peak {
    float amax;
    size_t at;
  };

  // Each channel's largest magnitudes of activations and weights made equal.
  std::vector<float> start() const {
    std::vector<float> x(K_, 1e-5f), w(K_, 1e-5f);
    for (size_t s = 0; s < S_; ++s)
      for (size_t k = 0; k < K_; ++k) x[k] = std::max(x[k], std::fabs(in_.samples[s * K_ + k]));
    for (size_t n = 0; n < N_; ++n)
      for (size_t k = 0; k < K_; ++k) w[k] = std::max(w[k], std::fabs(in_.weights[n * K_ + k]));
    for (size_t k = 0; k < K_; ++k) x[k] = std::clamp(std::sqrt(w[k] / x[k]), 1e-4f, 1e4f);
    return x;
  }

  void find_extremes(const std::vector<float>& m) {
    for (size_t k = 0; k < K_; ++k) inverse_[k] = 1.0f / m[k];
    constexpr size_t kBlock = 32;
    const size_t row_blocks = (S_ + kBlock - 1) / kBlock;
    pool_.run(static_cast<int64_t>(row_blocks + (N_ + kBlock - 1) / kBlock), [&](int64_t task, Arena&) {
      const size_t i = static_cast<size_t>(task);
      if (i < row_blocks) {
        for (size_t s = i * kBlock; s < std::min(S_, (i + 1) * kBlock); ++s)
          for (size_t g = 0; g < row_groups_; ++g) rows_[s * row_groups_ + g] = range(s, g, m);
      } else {
        for (size_t n = (i - row_blocks) * kBlock; n < std::min(N_, (i - row_blocks + 1) * kBlock); ++n)
          for (size_t g = 0; g < groups_; ++g) peaks_[n * groups_ + g] = peak(n, g);
      }
    });
  }

  struct Span {
    size_t first, last;
  };
  Span span(size_t g, int64_t group) const {
    const size_t first = g * static_cast<size_t>(group);
    return {first, std::min(K_, first + static_cast<size_t>(group))};
  }

  Range range(size_t s, size_t g, const std::vector<float>& m) const {
    const auto [first, last] = span(g, in_.activation_group);
    Range r = extremes(in_.samples.data() + s * K_ + first, m.data() + first, last - first);
    r.low_at += first, r.high_at += first;
    return r;
  }

  Peak peak(size_t n, size_t g) const {
    const auto [first, last] = span(g, in_.group);
    const float* w = in_.weights.data() + n * K_;
    const Range r = extremes(w + first, inverse_.data() + first, last - first);
    if (r.high >= -r.low) return {r.high, first + r.high_at};
    return {-r.low, first + r.low_at};
  }

  // Of x · factors and zero: the kernels find out how far a chunk goes, and where is looked for in one chunk alone.
  Range extremes(const float* x, const float* factors, size_t n) const {
    constexpr size_t kChunk = 128;
    Range r{0, 0, 0, 0};
    size_t low_chunk = 0, high_chunk = 0;
    for (size_t k = 0; k < n; k += kChunk) {
      float low, high;
      kernels_.range(x + k, factors + k, static_cast<int64_t>(std::min(kChunk, n - k)), &low, &high);
      if (low < r.low) r.low = low, low_chunk = k;
      if (high > r.high) r.high = high, high_chunk = k;
    }
    const auto find = [&](size_t k, float value) {
      while (k + 1 < n && x[k] * factors[k] != value) ++k;
      return k;
    };
    if (r.low < 0) r.low_at = find(low_chunk, r.low);
    if (r.high > 0) r.high_at = find(high_chunk, r.high);
    return r;
  }

  // The error, and each channel's shares of what a larger factor costs and gains.
  double evaluate(const std::vector<float>& m) {
    find_extremes(m);
    cost_.assign(K_, 0.0);
    gain_.assign(K_, 0.0);
    const double a = 1.0 / (255.0 * 255.0 * static_cast<double>(S_)), b = 4.0 / (double{in_.steps} * in_.steps);
    double error = 0;
    for (size_t g = 0; g < row_groups_; ++g) error += activations_of(g, a);
    for (size_t g = 0; g < groups_; ++g) error += b * weights_of(g, m, b);
    for (size_t k = 0; k < K_; ++k) cost_[k] /= error, gain_[k] /= error;
    return error;
  }

  double activations_of(size_t g, double a) {
    const auto [first, last] = span(g, in_.activation_group);
    double ranges = 0, noise = 0;
    for (size_t k = first; k < last; ++k) noise += double{norm_[k]} * inverse_[k] * inverse_[k];
    for (size_t i = g; i < rows_.size(); i += row_groups_) {
      const Range& r = rows_[i];
      const double range = double{r.high - r.low};
      ranges += range * range;
      cost_[r.high_at] += a * noise * range * r.high;
      cost_[r.low_at] -= a * noise * range * r.low;
    }
    for (size_t k = first; k < last; ++k) gain_[k] += a * ranges * norm_[k] * inverse_[k] * inverse_[k];
    return a * ranges * noise;
  }

  double weights_of(size_t g, const std::vector<float>& m, double b) {
    const auto [first, last] = span(g, in_.group);
    double met = 0, squares = 0;
    for (size_t k = first; k < last; ++k) met += double{in_.variance[k]} * m[k] * m[k];
    for (size_t n = 0; n < N_; ++n) {
      const Peak& p = peaks_[n * groups_ + g];
      squares += double{p.amax} * p.amax;
      gain_[p.at] += b * met * p.amax * p.amax;
    }
    for (size_t k = first; k < last; ++k) cost_[k] += b * squares * in_.variance[k] * m[k] * m[k];
    return squares * met;
  }

  const SmoothingInput& in_;
  Pool& pool_;
  const KernelTable& kernels_ = default_kernels();
  const size_t K_, S_, N_, groups_, row_groups_;
  std::vector<float> norm_, inverse_;  // |w_k|² over the outputs; 1/m_k
  std::vector<Range> rows_;
  std::vector<Peak> peaks_;
  std::vector<double> cost_, gain_;
};

}  // namespace

std::vector<float> smoothing(const SmoothingInput& in, Pool& pool) {
  if (in.samples.empty() || in.variance.empty()) return std::vector<float>(static_cast<size_t>(in.K), 1.0f);
  return Search(in, pool).run();
}

}  // namespace quern
