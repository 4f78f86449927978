// What attention in 16-bit integers begins with: each head's largest magnitudes, then queries, keys and values as
// integers of one scale, two signed bytes each.
#pragma once
#include "cuda/kernels_attention_f32.h"

namespace quern {
namespace cuda {

constexpr float kMostProbability = 4095, kMostValue = 2047, kLogOfE = 1.44269504f;  // the last: base 2

// Which rows a block of 48 tokens of a text has, of a head of q, of k, of v.
struct SplitBlock {
  int text;
  int64_t row, n, head;  // its first row, how many, the head
  int64_t first, L, padded;
  int what;  // 0: q, 1: k, 2: v
};
QUERN_GPU SplitBlock split_block(const SplitAttention& a) {
  const QueryBlock block = a.blocks[block_x()];
  const TextRange text = a.texts[block.text];
  const int64_t left = text.length - block.first, y = block_y();
  SplitBlock b = {
      block.text, text.first + block.first, left < kQueries ? left : kQueries, y, block.first, text.length, text.padded,
      0};
  if (y >= a.heads) b.head = (y - a.heads) % a.kv_heads, b.what = y < a.heads + a.kv_heads ? 1 : 2;
  return b;
}
QUERN_GPU const float* split_rows(const SplitAttention& a, const SplitBlock& b) {
  return (b.what == 0 ? a.q : b.what == 1 ? a.k : a.v) + b.row * a.stride + b.head * a.d;
}

QUERN_GPU float magnitude(float v) {
  return GpuLane::max(v, 0.0f - v);
}

// Magnitudes are compared by their bits: they are not negative.
QUERN_GPU void compute(const FindPeaks& a) {
  const SplitBlock b = split_block(a);
  const float* const x = split_rows(a, b);
  constexpr int warps = FindPeaks::threads / 32;
  if (b.what == 2) {  // each column's: a warp's lanes are columns, the warps take turns with the rows
    for (int64_t c = lane(); c < a.d; c += 32) {
      float top = 0.0f;
      for (int64_t row = warp(); row < b.n; row += warps) top = GpuLane::max(top, magnitude(x[row * a.stride + c]));
      max_bits(a.v_peaks + (b.text * a.kv_heads + b.head) * a.d + c, bits_of_float(top));
    }
    return;
  }
  float top = 0.0f;
  for (int64_t row = warp(); row < b.n; row += warps)
    for (int64_t c = lane(); c < a.d; c += 32) top = GpuLane::max(top, magnitude(x[row * a.stride + c]));
  top = over_warp(top, [](float p, float q) { return q > p ? q : p; });
  if (lane() != 0) return;
  if (b.what == 0)
    max_bits(a.q_peaks + b.text * a.heads + b.head, bits_of_float(top));
  else
    max_bits(a.k_peaks + b.text * a.kv_heads + b.head, bits_of_float(top));
}

struct TwoBytes {
  int8_t high, low;
};
QUERN_GPU TwoBytes two_bytes(int32_t v) {
  const int32_t high = (v + 128) >> 8;
  return {static_cast<int8_t>(high), static_cast<int8_t>(v - high * 256)};
}

// What a unit of a head's integers is worth.
QUERN_GPU float split_unit(const SplitAttention& a, int32_t peak) {
  return float_of_bits(peak) * (square_root(static_cast<float>(a.d)) / 32000.0f);
}

QUERN_GPU void split_heads(const SplitAttention& a, const SplitBlock& b) {
  const float* const x = split_rows(a, b);
  const float unit =
      split_unit(a, b.what == 0 ? a.q_peaks[b.text * a.heads + b.head] : a.k_peaks[b.text * a.kv_heads + b.head]);
  const float factor = unit > 0 ? 1.0f / unit : 0.0f;
  const SplitRows& to = b.what == 0 ? a.q_codes : a.k_codes;
  const int64_t width = (b.what == 0 ? a.heads : a.kv_heads) * a.padded_d;
  for (int64_t row = warp(); row < b.n; row += SplitValues::threads / 32)
    for (int64_t c = lane(); c < a.padded_d; c += 32) {
      const TwoBytes v = two_bytes(c < a.d ? to_i32(x[row * a.stride + c] * factor) : 0);
      const int64_t at = (b.row + row) * width + b.head * a.padded_d + c;
      to.high[at] = v.high;
      to.low[at] = v.low;
    }
}

// Values by column: through shared memory, so that both sides go along rows. The last block of a text brings the zeros
// up to whole 32 tokens.
QUERN_GPU void compute(const SplitValues& a) {
  constexpr int rows = SplitValues::rows, stride = SplitValues::row_stride, threads = SplitValues::threads;
  const SplitBlock b = split_block(a);
  if (b.what != 2) return split_heads(a, b);
  const float* const x = split_rows(a, b);
  const int64_t end = b.first + b.n == b.L ? (b.L + 31) / 32 * 32 : b.first + b.n, n = end - b.first;
  int8_t* const high = reinterpret_cast<int8_t*>(shared_memory());  // (32 columns, stride)
  int8_t* const low = high + 32 * stride;
  for (int64_t c0 = 0; c0 < a.d; c0 += 32) {
    const int64_t c = c0 + lane();
    if (c < a.d) {
      const float top = float_of_bits(a.v_peaks[(b.text * a.kv_heads + b.head) * a.d + c]);
      const float inverse = kMostValue / GpuLane::max(top, 1e-30f);
      for (int64_t row = warp(); row < n; row += threads / 32) {
        const TwoBytes v = two_bytes(row < b.n ? to_i32(x[row * a.stride + c] * inverse) : 0);
        high[lane() * stride + key_place(row)] = v.high;
        low[lane() * stride + key_place(row)] = v.low;
      }
    }
    sync_block();
    for (int64_t i = thread(); i < 32 * rows; i += threads) {
      const int64_t col = i / rows, place = i % rows;
      const int64_t at = (b.head * a.d + c0 + col) * a.padded_T + b.padded + b.first + place;
      if (c0 + col < a.d && place < n) {
        a.v_codes.high[at] = high[col * stride + place];
        a.v_codes.low[at] = low[col * stride + place];
      }
    }
    sync_block();
  }
}

}  // namespace cuda
}  // namespace quern
