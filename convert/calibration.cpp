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

// Lower Cholesky factor in place (row-major; the upper triangle is left as it was). False if not positive definite.
bool cholesky(std::vector<float>& a, int64_t K, const KernelTable& kernels) {
  for (int64_t i = 0; i < K; ++i) {
    float* row = a.data() + i * K;
    for (int64_t j = 0; j <= i; ++j) {
      const float* other = a.data() + j * K;
      const float v = row[j] - kernels.dot(row, other, j);
      if (j < i) {
        row[j] = v / other[j];
      } else {
        if (!(v > 0) || !std::isfinite(v)) return false;
        row[i] = std::sqrt(v);
      }
    }
  }
  return true;
}

// Gram matrix of x · smooth with both axes reversed.
std::vector<float> reversed_gram(const InputStats& stats, const std::vector<float>& smooth) {
  const size_t K = smooth.size();
  std::vector<float> h(K * K);
  for (size_t i = 0; i < K; ++i)
    for (size_t j = 0; j < K; ++j) h[(K - 1 - i) * K + K - 1 - j] = stats.gram[i * K + j] * smooth[i] * smooth[j];
  return h;
}

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
    const size_t bytes = static_cast<size_t>(K * K) * sizeof(float);
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
  if (s.gram.empty()) {
    s.gram.assign(static_cast<size_t>(K * K), 0.0f);
    s.samples.reserve(kSamples * static_cast<size_t>(K));
  }
  std::vector<float> transposed(static_cast<size_t>(K * T));
  for (int64_t t = 0; t < T; ++t) {
    const float* const row = values + t * K;
    if (s.tokens++ % stride_ == 0) s.samples.insert(s.samples.end(), row, row + K);
    for (int64_t k = 0; k < K; ++k) transposed[static_cast<size_t>(k * T + t)] = row[k];
  }
  const KernelTable& kernels = default_kernels();
  constexpr int64_t kBlock = 32;
  pool_.run((K + kBlock - 1) / kBlock, [&](int64_t task, Arena& scratch) {
    Arena::Scope scope(scratch);
    const int64_t first = task * kBlock, rows = std::min(kBlock, K - first);
    float* product = scratch.take<float>(rows * K);
    kernels.gemm(rows, K, T, transposed.data() + first * T, T, values, K, product, K);
    kernels.axpy(1.0f, product, s.gram.data() + first * K, rows * K);
  });
}

std::vector<float> unexplained(const InputStats& stats, int64_t K, const KernelTable& kernels) {
  const std::vector<float> ones(static_cast<size_t>(K), 1.0f);
  std::vector<float> h = reversed_gram(stats, ones);
  for (int64_t i = 0; i < K; ++i)  // the addend is for inputs that are always zero
    h[static_cast<size_t>(i * K + i)] = h[static_cast<size_t>(i * K + i)] * 1.01f + 1e-20f;
  if (!cholesky(h, K, kernels)) return {};
  std::vector<float> squares(static_cast<size_t>(K));
  for (int64_t k = 0; k < K; ++k) {
    const float r = h[static_cast<size_t>((K - 1 - k) * K + K - 1 - k)];
    squares[static_cast<size_t>(k)] = r * r / static_cast<float>(stats.tokens);
  }
  return squares;
}

std::vector<float> compensation(const InputStats& stats, const std::vector<float>& smooth, const KernelTable& kernels,
                                Pool& pool) {
  const int64_t K = static_cast<int64_t>(smooth.size());
  const auto at = [K](int64_t i, int64_t j) { return static_cast<size_t>(i * K + j); };
  // H with both axes reversed: its lower factor L gives H = R·Rᵀ with R upper, so H⁻¹ = Uᵀ·U for U = R⁻¹, upper too.
  std::vector<float> h = reversed_gram(stats, smooth);
  double trace = 0;
  for (int64_t i = 0; i < K; ++i) trace += static_cast<double>(h[at(i, i)]);
  const float damping = static_cast<float>(0.05 * trace / static_cast<double>(K));
  for (int64_t i = 0; i < K; ++i) h[at(i, i)] += damping;
  if (!cholesky(h, K, kernels)) return {};
  // Z = L⁻¹, kept transposed so that both operands of every dot product are contiguous.
  std::vector<float> zt(static_cast<size_t>(K * K), 0.0f);
  pool.run(K, [&](int64_t j, Arena&) {
    float* z = zt.data() + j * K;
    z[j] = 1.0f / h[at(j, j)];
    for (int64_t i = j + 1; i < K; ++i) z[i] = -kernels.dot(h.data() + i * K + j, z + j, i - j) / h[at(i, i)];
  });
  std::vector<float> U(static_cast<size_t>(K * K), 0.0f);
  for (int64_t a = 0; a < K; ++a)
    for (int64_t b = a; b < K; ++b) U[at(a, b)] = zt[at(K - 1 - b, K - 1 - a)];
  return U;
}

}  // namespace quern
