// Attention within texts, and rotary positions.
#include <algorithm>
#include <cassert>

#include "exact_math.h"
#include "host_ops.h"

namespace quern {

namespace {

// What places add to the scores of one head of one text, scaled: (L, L), in scratch. Costs two products of L by d by
// some L places, and a sum for each pair of tokens.
const float* place_scores(const KernelTable& kernels, const PlaceVectors& by, const AttentionHead& h, int64_t head,
                          Arena& scratch) {
  constexpr int64_t kRows = 32;  // that share the places which they need
  const int64_t L = h.L, first_row = head * h.d, middle = static_cast<int64_t>(by.place_of.size()) / 2;
  const int32_t* const place_of = by.place_of.data() + middle;  // by distance
  // Whole vectors of places: the rest of one costs as much as several.
  const auto from = [](int64_t place) { return place / 16 * 16; };
  const auto to = [&](int64_t place) { return std::min(place / 16 * 16 + 16, by.places); };
  const int64_t first = from(place_of[1 - L]), n = to(place_of[L - 1]) - first;
  float* const of_queries = scratch.take<float>(L * n);
  float* const of_keys = scratch.take<float>(L * n);
  // Of rows [m, m + M) of x: their products with the places of distances least … most.
  const auto multiply = [&](const float* x, const float* vectors, int64_t m, int64_t M, int64_t least, int64_t most,
                            float* out) {
    const int64_t place = from(place_of[least]), places = to(place_of[most]) - place;
    kernels.gemm(M, places, h.d, x + m * h.stride, h.stride, vectors + first_row * by.places + place, by.places,
                 out + m * n + place - first, n);
  };
  for (int64_t m = 0; m < L; m += kRows) {
    const int64_t M = std::min(kRows, L - m), last = m + M - 1;
    multiply(h.q, by.keys, m, M, m - (L - 1), last, of_queries);
    multiply(h.k, by.queries, m, M, -last, L - 1 - m, of_keys);
  }
  float* const scores = scratch.take<float>(L * L);
  for (int64_t i = 0; i < L; ++i) {
    const float* const query = of_queries + i * n - first;
    const int32_t* const place = place_of + i;
    const float* key = of_keys - first;
    for (int64_t j = 0; j < L; ++j, key += n) scores[i * L + j] = (query[place[-j]] + key[place[-j]]) * h.scale;
  }
  return scores;
}

// `count` rows from `first` on of a text, which no token sees: their attention to keys low … L of the head, at least as
// many as rows. The kernel takes as many queries as keys, so rows repeat.
void attend_from_unseen(const AttentionKernel& kernel, const AttentionHead& h, int64_t first, int64_t count,
                        int64_t low, Arena& scratch) {
  Arena::Scope scope(scratch);
  AttentionHead work = h;
  work.L = h.L - low;
  work.before = work.after = work.L;
  float* const rows = scratch.take<float>(4 * work.L * h.d);
  float *const k = rows + work.L * h.d, *const v = k + work.L * h.d;
  for (int64_t i = 0; i < work.L; ++i) {
    std::copy_n(h.q + (first + std::min(i, count - 1)) * h.stride, h.d, rows + i * h.d);
    std::copy_n(h.k + (low + i) * h.stride, h.d, k + i * h.d);
    std::copy_n(h.v + (low + i) * h.stride, h.d, v + i * h.d);
  }
  work.q = rows, work.k = k, work.v = v, work.out = v + work.L * h.d;
  work.stride = work.out_stride = h.d;
  if (h.bias) work.bias = h.bias + first * h.bias_stride + low;
  if (h.bias) work.bias_stride = 0;  // of one row
  kernel.run(work, scratch.take_bytes(kernel.scratch_bytes(work.L, h.d)));
  for (int64_t i = 0; i < count; ++i) std::copy_n(work.out + i * h.d, h.d, h.out + (first + i) * h.out_stride);
}

// A text of `length` tokens, of which the head's own L are seen. Row by row where rows see keys, or have a bias, of
// their own; a row whose window shuts out all keys becomes zeros, as torch has it.
void attend_to_seen(const AttentionKernel& kernel, const AttentionHead& h, int64_t length, Arena& scratch) {
  kernel.run(h, scratch.take_bytes(kernel.scratch_bytes(h.L, h.d)));
  const bool alike = h.before >= length && !h.bias;
  for (int64_t first = h.L, count = 0; first < length; first += count) {
    const int64_t low = std::max(first - h.before, int64_t{0});
    count = alike ? std::min(length - first, h.L) : 1;
    if (low >= h.L)
      std::fill_n(h.out + first * h.out_stride, h.d, 0.0f);
    else
      attend_from_unseen(kernel, h, first, count, low, scratch);
  }
}

}  // namespace

Tensor HostOps::attention(const Tensor& q_in, const Tensor& k_in, const Tensor& v_in, std::span<const Sequence> texts,
                          const AttentionOptions& options) {
  const Tensor result = tensor(q_in.rows, q_in.cols);
  const HostTensor q(q_in), k(k_in), v(v_in), out(result), bias(options.bias);
  const int64_t heads = options.heads, d = q.cols / heads;
  const int64_t sharing = options.kv_heads > 0 ? heads / options.kv_heads : 1;  // heads of one head of keys
  assert(d * heads == q.cols && k.cols * sharing == q.cols && v.cols == k.cols && k.stride == q.stride &&
         v.stride == q.stride);
  const AttentionKernel& kernel = precision_ == Precision::f32 ? kernels_.attention_f32 : kernels_.attention_i16;
  for_each(static_cast<int64_t>(texts.size()) * heads, [&](int64_t task, Arena& scratch) {
    Arena::Scope scope(scratch);
    const Sequence& text = texts[static_cast<size_t>(task / heads)];
    const int64_t head = task % heads, column = head * d, kv_column = head / sharing * d;
    AttentionHead work = {.q = q.row(text.first) + column,
                          .k = k.row(text.first) + kv_column,
                          .v = v.row(text.first) + kv_column,
                          .stride = q.stride,
                          .L = text.length,
                          .d = d,
                          .scale = options.scale,
                          .out = out.row(text.first) + column,
                          .out_stride = out.stride,
                          .before = options.before,
                          .after = options.after,
                          .bias = bias.data ? bias.row(head) + (bias.cols - 1) / 2 : nullptr,
                          .bias_stride = -1,
                          .softcap = options.softcap};
    if (options.places.keys) {
      work.bias = place_scores(kernels_, options.places, work, head, scratch);
      work.bias_stride = text.length;
    }
    if (text.unseen > 0) {
      work.L = text.length - text.unseen;
      return attend_to_seen(kernel, work, text.length, scratch);
    }
    kernel.run(work, scratch.take_bytes(kernel.scratch_bytes(text.length, d)));
  });
  return result;
}

namespace {

// Cosines, then sines, of a position.
void rotary_row(int64_t position, std::span<const float> frequencies, float factor, float* row) {
  const size_t n = frequencies.size();
  for (size_t i = 0; i < n; ++i) {
    const double angle = static_cast<double>(static_cast<float>(position) * frequencies[i]);
    const Turn turn = turn_of(angle);
    row[i] = static_cast<float>(turn.cos) * factor;
    row[n + i] = static_cast<float>(turn.sin) * factor;
  }
}

}  // namespace

Rotary HostOps::rotary(std::span<const Sequence> texts, const Frequencies& frequencies, float factor) {
  // Texts that begin at the same position and turn alike share rows, so that a pack of short texts costs as many as the
  // longest has.
  struct Shared {
    Sequence text;  // the longest of them
    std::span<const float> frequencies;
    int64_t first;
  };
  int64_t n_tokens = 0;
  for (const Sequence& text : texts) n_tokens = std::max(n_tokens, text.first + text.length);
  int32_t* const row_of = arena_.take<int32_t>(n_tokens);
  const int64_t n_texts = static_cast<int64_t>(texts.size());
  Shared* const shared = arena_.take<Shared>(n_texts);
  int64_t* const mine = arena_.take<int64_t>(n_texts);
  int64_t n_shared = 0;
  for (int64_t i = 0; i < n_texts; ++i) {
    const Sequence& text = texts[static_cast<size_t>(i)];
    const std::span<const float> turns = frequencies(text);
    int64_t s = 0;
    while (s < n_shared && (shared[s].text.past != text.past || shared[s].frequencies.data() != turns.data())) ++s;
    if (s == n_shared) shared[n_shared++] = {text, turns, 0};
    if (text.length > shared[s].text.length) shared[s].text = text;
    mine[i] = s;
  }
  int64_t rows = 0;
  for (int64_t s = 0; s < n_shared; ++s) {
    shared[s].first = rows;
    rows += shared[s].text.length;
  }
  const int64_t n = n_shared > 0 ? static_cast<int64_t>(shared[0].frequencies.size()) : 0;
  const Tensor angles = tensor(rows, 2 * n);
  const HostTensor out(angles);
  for (int64_t s = 0; s < n_shared; ++s)
    for_each_row(shared[s].text.length, [&](int64_t t) {
      rotary_row(shared[s].text.past + t, shared[s].frequencies, factor, out.row(shared[s].first + t));
    });
  for (int64_t i = 0; i < n_texts; ++i) {
    const Sequence& text = texts[static_cast<size_t>(i)];
    for (int64_t t = 0; t < text.length; ++t) row_of[text.first + t] = static_cast<int32_t>(shared[mine[i]].first + t);
  }
  return {angles, {row_of, static_cast<size_t>(n_tokens)}};
}

void HostOps::rotate(Tensor in, const Rotary& by, int heads, bool pairs) {
  const HostTensor x(in), angles(by.angles);
  const int64_t d = x.cols / heads, half = angles.cols / 2;
  assert(angles.cols <= d && static_cast<int64_t>(by.rows.size()) >= x.rows);
  const auto kernel = pairs ? kernels_.rotate_pairs : kernels_.rotate;
  for_each_row(x.rows, [&](int64_t t) {
    const float* turn = angles.row(by.rows[static_cast<size_t>(t)]);
    for (int head = 0; head < heads; ++head) kernel(x.row(t) + head * d, turn, turn + half, half);
  });
}

}  // namespace quern
