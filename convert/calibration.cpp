#include "convert/calibration.h"

#include <algorithm>
#include <cmath>

#include "dispatch.h"
#include "error.h"
#include "io/mapped_file.h"

namespace quern {
namespace {

constexpr const char* kBuiltIn[] = {
#include "convert/calibration_texts.inc"
};
constexpr size_t kProse = 88;  // of them, the first
static_assert(std::size(kBuiltIn) > kProse);

}  // namespace

std::vector<std::string> calibration_texts(const std::string& file) {
  std::vector<std::string> texts;
  if (file.empty()) {
    texts.assign(std::begin(kBuiltIn), std::end(kBuiltIn));
    // Passages too: the special tokens' activations grow with the length of a text.
    constexpr size_t kSentences = 10, kPassages = 16, kStride = 37;  // coprime to kProse
    for (size_t p = 0; p < kPassages; ++p) {
      std::string passage;
      for (size_t i = 0; i < kSentences; ++i)
        passage += (i ? " " : "") + texts[(p * kSentences + i) * kStride % kProse];
      texts.push_back(std::move(passage));
    }
    return texts;
  }
  const std::string all = read_text_file(file, size_t{64} << 20);
  for (size_t at = 0; at < all.size();) {
    const size_t end = std::min(all.find('\n', at), all.size());
    if (end > at) texts.push_back(all.substr(at, end - at));
    at = end + 1;
  }
  if (texts.empty()) throw Error(Status::bad_argument, file + ": expected calibration texts, one per line, found none");
  return texts;
}

Calibration::Calibration(const LoadedModel& source, const std::vector<std::string>& texts, Pool& pool,
                         size_t gram_bytes)
    : source_(source),
      pool_(pool),
      gram_bytes_(gram_bytes),
      op_(source.device->ops({.pool = &pool, .observer = this})) {
  size_t tokens = 0;
  Encoding e;
  for (const std::string& text : texts) {
    if (tokens >= kMaxTokens) break;
    source.tokenizer->encode(text, {.add_special = true, .max_length = std::min<size_t>(source.max_length, 512)}, e);
    if (e.ids.empty()) continue;
    if (packs_.empty() || packs_.back().ids.size() >= kPackTokens) packs_.emplace_back();
    Pack& pack = packs_.back();
    pack.texts.push_back({static_cast<int64_t>(pack.ids.size()), static_cast<int64_t>(e.ids.size())});
    pack.ids.insert(pack.ids.end(), e.ids.begin(), e.ids.end());
    pack.types.insert(pack.types.end(), e.type_ids.begin(), e.type_ids.end());
    tokens += e.ids.size();
  }
  if (packs_.empty()) throw Error(Status::bad_argument, "no calibration text has a token");
  stride_ = static_cast<int64_t>((tokens + kSamples - 1) / kSamples);
  for (Pack& pack : packs_) {
    Ops::Scope scope(*op_);
    Batch batch{pack.ids, pack.types, pack.texts};
    source.model->prepare(*op_, batch);
    std::vector<float> room;
    const std::span<const float> states = op_->read(source.model->embed(*op_, batch), room);
    pack.next.assign(states.begin(), states.end());
  }
}

void Calibration::run_layer(int i) {
  layer_ = i;
  for (Pack& pack : packs_) pack.states.swap(pack.next);
  collect(nullptr);
}

const InputStats& Calibration::stats(const Linear& linear) {
  if (!stats_.contains(&linear)) collect(&linear);
  const auto found = stats_.find(&linear);
  if (found == stats_.end())
    throw Error(Status::unsupported, source_.path + ": no calibration token reaches a linear of layer " +
                                         std::to_string(layer_) + "; give more texts with --calibration");
  return found->second;
}

// The layer once more, with statistics of as many linears as there is room for.
void Calibration::collect(const Linear* first) {
  stats_.clear();
  passed_over_.clear();
  held_ = 0;
  first_ = first;
  const int64_t D = source_.model->width();
  for (Pack& pack : packs_) {
    Ops::Scope scope(*op_);
    const Tensor x = op_->tensor(static_cast<int64_t>(pack.ids.size()), D);
    op_->write(pack.states, x);
    Batch batch{pack.ids, pack.types, pack.texts};
    source_.model->prepare(*op_, batch);
    std::vector<float> room;
    const std::span<const float> states = op_->read(source_.model->layer(*op_, batch, layer_, x), room);
    pack.next.assign(states.begin(), states.end());
  }
}

void Calibration::observe(Ops& op, const Linear& linear, const Tensor& x) {
  const int64_t K = linear.K, T = x.rows;
  if (!stats_.contains(&linear)) {
    if (passed_over_.contains(&linear)) return;  // what it had so far is lost, and half its statistics are none
    const size_t bytes = static_cast<size_t>(K * inputs_together(K)) * sizeof(float);
    const bool fits = held_ + bytes <= gram_bytes_ && (!first_ || stats_.contains(first_));
    const bool comes_first = &linear == first_ || (!first_ && stats_.empty());
    if (!fits && !comes_first) {
      passed_over_.insert(&linear);
      return;
    }
    held_ += bytes;
  }
  InputStats& s = stats_[&linear];
  std::vector<float> room;
  const float* const values = op.read(x, room).data();
  const int64_t together = inputs_together(K);
  if (s.gram.empty()) {
    for (int64_t k = 0; k < K; k += together) s.gram.emplace_back(std::min(together, K - k));
    s.samples.reserve(kSamples * static_cast<size_t>(K));
  }
  for (int64_t t = 0; t < T; ++t)
    if (s.tokens++ % stride_ == 0) s.samples.insert(s.samples.end(), values + t * K, values + (t + 1) * K);
  for (size_t i = 0; i < s.gram.size(); ++i) add_products(values + static_cast<int64_t>(i) * together, T, K, s.gram[i]);
}

// Of T rows that begin `stride` apart: the lower triangle of their Gram matrix, strip of columns by strip.
void Calibration::add_products(const float* values, int64_t T, int64_t stride, SquareMatrix& gram) {
  const KernelTable& kernels = default_kernels();
  const int64_t K = gram.K, strips = (K + kStrip - 1) / kStrip;
  std::vector<float> channels(static_cast<size_t>(K * T));  // in reverse order, T values of each
  pool_.run(strips, [&](int64_t task, Arena&) {
    for (int64_t p = task * kStrip; p < std::min(K, (task + 1) * kStrip); ++p)
      for (int64_t t = 0; t < T; ++t) channels[static_cast<size_t>(p * T + t)] = values[t * stride + K - 1 - p];
  });
  pool_.run(strips, [&](int64_t task, Arena& scratch) {
    Arena::Scope scope(scratch);
    const int64_t first = task * kStrip, columns = std::min(kStrip, K - first);
    float* const strip = scratch.take<float>(T * columns);
    for (int64_t t = 0; t < T; ++t)
      for (int64_t q = 0; q < columns; ++q) strip[t * columns + q] = values[t * stride + K - 1 - first - q];
    float* const product = scratch.take<float>(kStrip * columns);
    for (int64_t p = first; p < K; p += kStrip) {
      const int64_t rows = std::min(kStrip, K - p);
      kernels.gemm(rows, columns, T, channels.data() + p * T, T, strip, columns, product, columns);
      for (int64_t r = 0; r < rows; ++r) kernels.axpy(1.0f, product + r * columns, gram.row(p + r) + first, columns);
    }
  });
}

int64_t inputs_together(int64_t K) {
  constexpr int64_t kMost = 4096;
  const int64_t parts = (K + kMost - 1) / kMost;
  return parts == 1 ? K : round_up((K + parts - 1) / parts, 256);
}

std::vector<float> unexplained(const InputStats& stats, const KernelTable& kernels, Pool& pool) {
  std::vector<float> squares;
  for (const SquareMatrix& gram : stats.gram) {
    SquareMatrix h = gram;
    for (int64_t i = 0; i < h.K; ++i)
      h.row(i)[i] = h.row(i)[i] * 1.01f + 1e-20f;  // the addend: inputs that are always zero
    if (!cholesky(h, kernels, pool)) return {};
    for (int64_t k = 0; k < h.K; ++k) {
      const float r = h.row(h.K - 1 - k)[h.K - 1 - k];
      squares.push_back(r * r / static_cast<float>(stats.tokens));
    }
  }
  return squares;
}

namespace {

// With both axes reversed the lower factor L of H gives H = R·Rᵀ with R upper, so H⁻¹ = Uᵀ·U for U = R⁻¹, upper too.
// False: it cannot be had.
bool invert(SquareMatrix& h, const float* smooth, const KernelTable& kernels, Pool& pool) {
  const int64_t K = h.K;
  double trace = 0;
  for (int64_t i = 0; i < K; ++i) {
    for (int64_t j = 0; j <= i; ++j) h.row(i)[j] = h.row(i)[j] * smooth[K - 1 - i] * smooth[K - 1 - j];
    trace += static_cast<double>(h.row(i)[i]);
  }
  const float damping = static_cast<float>(0.05 * trace / static_cast<double>(K));
  for (int64_t i = 0; i < K; ++i) h.row(i)[i] += damping;
  if (!cholesky(h, kernels, pool)) return false;
  const SquareMatrix inverse = inverse_of_lower(h, kernels, pool);
  for (int64_t i = 0; i < K; ++i) std::reverse_copy(inverse.row(i), inverse.row(i) + K, h.row(K - 1 - i));
  return true;
}

}  // namespace

std::vector<SquareMatrix> compensation(const InputStats& stats, const std::vector<float>& smooth,
                                       const KernelTable& kernels, Pool& pool) {
  std::vector<SquareMatrix> factors;
  const float* of_part = smooth.data();
  for (const SquareMatrix& gram : stats.gram) {
    factors.push_back(gram);
    if (!invert(factors.back(), of_part, kernels, pool)) return {};
    of_part += gram.K;
  }
  return factors;
}

}  // namespace quern
