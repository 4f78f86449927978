// Over texts: pooling, attention, rotary positions.
#include <algorithm>
#include <cassert>
#include <cstring>

#include "cuda/cuda_ops.h"
#include "tensor_data.h"

namespace quern::cuda {
namespace {

constexpr int64_t kWidestHead = 256;

std::vector<QueryBlock> blocks_of(const std::vector<TextRange>& texts, int64_t size) {
  std::vector<QueryBlock> blocks;
  for (size_t i = 0; i < texts.size(); ++i)
    for (int64_t first = 0; first < texts[i].length; first += size)
      blocks.push_back({static_cast<int32_t>(i), static_cast<int32_t>(first)});
  return blocks;
}

bool same(const std::vector<TextRange>& a, const std::vector<TextRange>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const TextRange& x, const TextRange& y) { return x.first == y.first && x.length == y.length; });
}

}  // namespace

const CudaOps::Texts& CudaOps::texts_on_device(std::span<const Sequence> texts) {
  std::vector<TextRange> ranges;
  int64_t padded = 0;
  for (const Sequence& text : texts) {
    ranges.push_back({text.first, text.length, padded});
    padded += round_up(text.length, 32);
  }
  if (texts_.at && same(ranges, texts_.ranges)) return texts_;
  texts_.at = nullptr;
  texts_.ranges = std::move(ranges);
  texts_.padded_T = padded;
  texts_.blocks32 = blocks_of(texts_.ranges, AttendF32<32>::queries);
  texts_.blocks48 = blocks_of(texts_.ranges, kQueries);
  const size_t of_ranges = texts_.ranges.size() * sizeof(TextRange);
  const size_t of_32 = texts_.blocks32.size() * sizeof(QueryBlock), of_48 = texts_.blocks48.size() * sizeof(QueryBlock);
  std::vector<char> all(of_ranges + of_32 + of_48);
  if (all.empty()) return texts_;
  std::memcpy(all.data(), texts_.ranges.data(), of_ranges);
  std::memcpy(all.data() + of_ranges, texts_.blocks32.data(), of_32);
  std::memcpy(all.data() + of_ranges + of_32, texts_.blocks48.data(), of_48);
  if (texts_.room < all.size()) {
    char last;
    if (texts_.memory) check(*stream_, stream_->download(&last, texts_.memory.get(), 1));  // kernels may read it still
    texts_.room = 0;
    texts_.memory = take_memory(runtime_, 2 * all.size(), "tables of texts");
    texts_.room = 2 * all.size();
  }
  check(*stream_, stream_->upload(texts_.memory.get(), all.data(), all.size()));
  texts_.at = reinterpret_cast<const TextRange*>(texts_.memory.get());
  texts_.at32 = reinterpret_cast<const QueryBlock*>(texts_.memory.get() + of_ranges);
  texts_.at48 = reinterpret_cast<const QueryBlock*>(texts_.memory.get() + of_ranges + of_32);
  return texts_;
}

Tensor CudaOps::pool(const Tensor& x, std::span<const Sequence> texts, Pooling mode) {
  const Tensor y = tensor(static_cast<int64_t>(texts.size()), x.cols);
  launch(PoolTexts{rows_of(x), rows_of(y), texts_on_device(texts).at, mode}, y.rows,
         blocks(x.cols, PoolTexts::threads));
  return y;
}

Tensor CudaOps::attention(const Tensor& q, const Tensor& k, const Tensor& v, std::span<const Sequence> texts,
                          const AttentionOptions& options) {
  const int64_t heads = options.heads, d = q.cols / heads, kv_heads = options.kv_heads > 0 ? options.kv_heads : heads;
  assert(d * heads == q.cols && k.cols == kv_heads * d && v.cols == k.cols && k.stride == q.stride &&
         v.stride == q.stride);
  if (d > kWidestHead)
    throw Error(Status::unsupported, "the CUDA device has no attention for heads of " + std::to_string(d) +
                                         " values: expected " + std::to_string(kWidestHead) +
                                         " at most; run the model on the CPU (--device cpu)");
  const Tensor out = tensor(q.rows, q.cols);
  const Scope scope(*this);
  const Texts& on_device = texts_on_device(texts);
  const AttentionArguments a{
      .q = TensorData::of(q),
      .k = TensorData::of(k),
      .v = TensorData::of(v),
      .stride = q.stride,
      .out = TensorData::of(out),
      .out_stride = out.stride,
      .texts = on_device.at,
      .blocks = precision_ == Precision::f32 ? on_device.at32 : on_device.at48,
      .heads = heads,
      .kv_heads = kv_heads,
      .d = d,
      .scale = options.scale,
      .softcap = options.softcap,
      .before = options.before,
      .after = options.after,
      .bias = options.bias.is_null() ? nullptr : TensorData::of(options.bias) + (options.bias.cols - 1) / 2,
      .bias_stride = options.bias.stride};
  if (precision_ == Precision::f32)
    attend_f32(a, on_device);
  else
    attend_i16(a, on_device, q.rows);
  return out;
}

void CudaOps::attend_f32(const AttentionArguments& a, const Texts& texts) {
  const auto run = [&]<class P>(P kernel) {
    static_cast<AttentionArguments&>(kernel) = a;
    launch(kernel, static_cast<int64_t>(texts.blocks32.size()), a.heads, P::shared);
  };
  if (a.d <= 32) return run(AttendF32<32>{});
  if (a.d <= 64) return run(AttendF32<64>{});
  if (a.d <= 128) return run(AttendF32<128>{});
  run(AttendF32<256>{});
}

void CudaOps::attend_i16(const AttentionArguments& a, const Texts& texts, int64_t T) {
  const int64_t steps = (a.d + 31) / 32, n_texts = static_cast<int64_t>(texts.ranges.size());
  const int64_t n_blocks = static_cast<int64_t>(texts.blocks48.size());
  SplitAttention s;
  static_cast<AttentionArguments&>(s) = a;
  s.padded_d = 32 * (steps <= 4 ? steps : 8);
  s.padded_T = texts.padded_T;
  const int64_t of_q = n_texts * a.heads, of_k = n_texts * a.kv_heads, of_v = of_k * a.d;
  s.q_peaks = take<int32_t>(of_q + of_k + of_v);
  s.k_peaks = s.q_peaks + of_q;
  s.v_peaks = s.k_peaks + of_k;
  const auto split = [&](int64_t bytes) { return SplitRows{take<int8_t>(bytes), take<int8_t>(bytes)}; };
  s.q_codes = split(T * a.heads * s.padded_d);
  s.k_codes = split(T * a.kv_heads * s.padded_d);
  s.v_codes = split(a.kv_heads * a.d * s.padded_T);
  check(*stream_, stream_->clear(s.q_peaks, static_cast<size_t>(of_q + of_k + of_v) * sizeof(int32_t)));
  const int64_t all_heads = a.heads + 2 * a.kv_heads;
  FindPeaks peaks;
  static_cast<SplitAttention&>(peaks) = s;
  launch(peaks, n_blocks, all_heads);
  SplitValues values;
  static_cast<SplitAttention&>(values) = s;
  launch(values, n_blocks, all_heads, SplitValues::shared);
  const auto run = [&]<class P>(P kernel) {
    static_cast<SplitAttention&>(kernel) = s;
    launch(kernel, n_blocks, a.heads * blocks(a.d, P::cols), P::shared);
  };
  switch (s.padded_d / 32) {
    case 1:
      return run(AttendI16<1>{});
    case 2:
      return run(AttendI16<2>{});
    case 3:
      return run(AttendI16<3>{});
    case 4:
      return run(AttendI16<4>{});
    default:
      return run(AttendI16<8>{});
  }
}

Tensor CudaOps::paged_attention(const Tensor&, const Tensor&, const Tensor&, std::span<const Sequence>, KvCache&, int,
                                const PagedOptions&) {
  throw Error(Status::unsupported, "generating runs on the CPU alone yet: load the model with --device cpu");
}

// Angles are the host's doubles; a batch has few of them, since texts that begin alike share rows.
Rotary CudaOps::rotary(std::span<const Sequence> texts, const Frequencies& frequencies, float factor) {
  const Scope scope(host_);
  const Rotary made = host_.rotary(texts, frequencies, factor);
  std::vector<float> room;
  const Tensor angles = tensor(made.angles.rows, made.angles.cols);
  write(host_.read(made.angles, room), angles);
  return {angles, {uploaded(made.rows), made.rows.size()}};  // both on the device
}

void CudaOps::rotate(Tensor x, const Rotary& by, int heads, bool pairs) {
  const int64_t half = by.angles.cols / 2;
  assert(by.angles.cols <= x.cols / heads && static_cast<int64_t>(by.rows.size()) >= x.rows);
  launch(RotateRows{rows_of(x), rows_of(by.angles), by.rows.data(), heads, half, pairs}, x.rows);
}

}  // namespace quern::cuda
