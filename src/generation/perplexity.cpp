#include "generation/perplexity.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "error.h"

namespace quern {
namespace {

// log of the sum of exp.
double log_total(std::span<const float> logits) {
  const float top = *std::max_element(logits.begin(), logits.end());
  double total = 0;
  for (const float v : logits) total += std::exp(static_cast<double>(v - top));
  return static_cast<double>(top) + std::log(total);
}

struct Sums {
  uint64_t n = 0;
  double loss = 0, squares = 0;
  void add(double v) {
    ++n;
    loss += v;
    squares += v * v;
  }
  double perplexity() const { return std::exp(loss / static_cast<double>(n)); }
  double error() const {
    const double count = static_cast<double>(n), mean = loss / count;
    return n < 2 ? 0 : perplexity() * std::sqrt(std::max(0.0, squares / count - mean * mean) / (count - 1));
  }
};

// A reference's logits of one window's scored tokens.
struct Kept {
  std::vector<float> logits;
  size_t first = 0, width = 0;
  std::span<const float> row(size_t index) const { return std::span(logits).subspan((index - first) * width, width); }
};

}  // namespace

int32_t first_token(const Tokenizer& tokenizer) {
  Encoding e;
  tokenizer.encode("a", {}, e);
  return !e.ids.empty() && e.special_mask[0] ? e.ids[0] : -1;
}

Perplexity measure_perplexity(Generator& generator, std::span<const int32_t> text, int64_t window, int32_t bos,
                              Generator* reference, const std::function<bool(size_t, size_t, double)>& progress) {
  const size_t n = static_cast<size_t>(window), windows = n == 0 ? 0 : text.size() / n;
  if (window < 8 || window > generator.context())
    throw Error(Status::bad_argument, "window: expected 8 to the context's " + std::to_string(generator.context()) +
                                          " tokens, found " + std::to_string(window));
  if (windows == 0)
    throw Error(Status::bad_argument, "text: expected at least a window of " + std::to_string(window) +
                                          " tokens, found " + std::to_string(text.size()));
  if (reference && reference->model().model->vocabulary() != generator.model().model->vocabulary())
    throw Error(Status::bad_argument,
                "reference: its vocabulary has " + std::to_string(reference->model().model->vocabulary()) +
                    " tokens, the model's " + std::to_string(generator.model().model->vocabulary()));
  Sums model, other;
  double kl = 0, kl_max = 0;
  uint64_t same = 0;
  std::vector<int32_t> tokens(n);
  for (size_t w = 0; w < windows; ++w) {
    std::copy_n(text.begin() + static_cast<int64_t>(w * n), n, tokens.begin());
    const std::vector<int32_t> truth = tokens;
    if (bos >= 0) tokens[0] = bos;
    const size_t first = n / 2;
    Kept kept{{}, first, static_cast<size_t>(generator.model().model->vocabulary())};
    if (reference)
      reference->score(tokens, first, [&](size_t i, std::span<const float> logits) {
        if (i + 1 >= n) return true;
        kept.logits.insert(kept.logits.end(), logits.begin(), logits.end());
        other.add(log_total(logits) - static_cast<double>(logits[static_cast<size_t>(truth[i + 1])]));
        return true;
      });
    generator.score(tokens, first, [&](size_t i, std::span<const float> logits) {
      if (i + 1 >= n) return true;
      const double total = log_total(logits);
      model.add(total - static_cast<double>(logits[static_cast<size_t>(truth[i + 1])]));
      if (!reference) return true;
      const std::span<const float> from = kept.row(i);
      const double from_total = log_total(from);
      double divergence = 0;
      for (size_t t = 0; t < logits.size(); ++t) {
        const double log_p = static_cast<double>(from[t]) - from_total;
        if (log_p > -40) divergence += std::exp(log_p) * (log_p - (static_cast<double>(logits[t]) - total));
      }
      kl += divergence;
      kl_max = std::max(kl_max, divergence);
      same += likeliest(from) == likeliest(logits);
      return true;
    });
    if (progress && !progress(w + 1, windows, model.perplexity())) break;
  }
  Perplexity result{.tokens = model.n, .perplexity = model.perplexity(), .error = model.error()};
  if (reference) {
    const double count = static_cast<double>(model.n);
    result.kl_mean = kl / count;
    result.kl_max = kl_max;
    result.same_top = static_cast<double>(same) / count;
    result.reference_perplexity = other.perplexity();
  }
  return result;
}

}  // namespace quern
