#include "quants/q4/q4.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "quants/compensate.h"
#include "quants/half.h"

namespace quern {
namespace {

int64_t panels(int64_t N) {
  return (N + kPanel - 1) / kPanel;
}

struct Range {
  float scale;
  int zero;
  float value(int q) const { return scale * static_cast<float>(q - zero); }
  int code(float v) const {
    return scale > 0 ? std::clamp(static_cast<int>(std::nearbyintf(v / scale)) + zero, 0, 15) : zero;
  }
};

// Scale (as f16 will hold it) and zero point with the least squared error for one output's group: w[k * kPanel]. The
// candidates shrink the group's range step by step, since clipping its ends can pay for finer steps between.
Range best_range(const float* w) {
  float low = 0, high = 0;
  for (int k = 0; k < Q4::group; ++k) {
    low = std::min(low, w[k * kPanel]);
    high = std::max(high, w[k * kPanel]);
  }
  Range best{0, 0};
  float least = INFINITY;
  for (int shrink = 0; shrink < 16; ++shrink) {
    const float factor = 1.0f - 0.025f * static_cast<float>(shrink);
    Range r{f16_to_f32(f32_to_f16((high - low) * factor / 15.0f)), 0};
    if (!(r.scale > 0)) return best;  // all zero, or below what f16 holds
    r.zero = std::clamp(static_cast<int>(std::nearbyintf(-low * factor / r.scale)), 0, 15);
    float error = 0;
    for (int k = 0; k < Q4::group; ++k) {
      const float d = w[k * kPanel] - r.value(r.code(w[k * kPanel]));
      error += d * d;
    }
    if (error < least) {
      least = error;
      best = r;
    }
  }
  return best;
}

void pack(const float* w, int64_t N, int64_t K, int64_t n0, int64_t n1, const Rounding& rounding, void* const* arrays) {
  uint8_t* const codes = static_cast<uint8_t*>(arrays[0]);
  uint16_t* const scales = static_cast<uint16_t*>(arrays[1]);
  uint8_t* const zeros = static_cast<uint8_t*>(arrays[2]);
  float* const sums = static_cast<float*>(arrays[3]);
  std::vector<float> columns(static_cast<size_t>(K * kPanel));
  for (int64_t n = n0; n < n1; n += kPanel) {
    for (int c = 0; c < kPanel; ++c)
      for (int64_t k = 0; k < K; ++k)
        columns[static_cast<size_t>(k * kPanel + c)] = n + c < N ? w[(n - n0 + c) * K + k] : 0.0f;
    uint8_t* const panel = codes + n * K / 2;
    std::fill(panel, panel + K * kPanel / 2, uint8_t{0});
    Range range[kPanel];
    float sum[kPanel] = {};
    round_compensated(columns.data(), K, rounding.U, [&](int64_t k, float* values) {
      if (k % Q4::group == 0) {
        for (int c = 0; c < kPanel; ++c) {
          range[c] = best_range(values + c);  // of weights that earlier errors have already moved
          const int64_t at = n * (K / Q4::group) + k / Q4::group * kPanel + c;
          scales[at] = f32_to_f16(range[c].scale);
          zeros[at] = static_cast<uint8_t>(range[c].zero);
        }
      }
      for (int c = 0; c < kPanel; ++c) {
        const int q = range[c].code(values[c]);
        panel[k / 8 * 64 + c * 4 + k % 4] |= static_cast<uint8_t>(k % 8 < 4 ? q : q << 4);
        values[c] = range[c].value(q);
        sum[c] += values[c];
      }
    });
    for (int c = 0; c < kPanel; ++c) sums[n + c] = sum[c];
  }
}

void unpack(const void* const* arrays, int64_t, int64_t K, int64_t n, float* out) noexcept {
  const int64_t first = n / kPanel * kPanel, c = n % kPanel, groups = K / Q4::group;
  const uint8_t* panel = static_cast<const uint8_t*>(arrays[0]) + first * K / 2;
  for (int64_t k = 0; k < K; ++k) {
    const int64_t at = first * groups + k / Q4::group * kPanel + c;
    const uint8_t both = panel[k / 8 * 64 + c * 4 + k % 4];
    const Range r{f16_to_f32(static_cast<const uint16_t*>(arrays[1])[at]), static_cast<const uint8_t*>(arrays[2])[at]};
    out[k] = r.value(k % 8 < 4 ? both & 15 : both >> 4);
  }
}

size_t group_values(int64_t N, int64_t K) {
  return static_cast<size_t>(panels(N) * kPanel * (K / Q4::group));
}
void group_shape(int64_t N, int64_t K, int64_t* ne) noexcept {
  ne[0] = kPanel, ne[1] = K / Q4::group, ne[2] = panels(N);
}

}  // namespace

constinit const TypeInfo Q4::info = {
    .name = "q4",
    .k_multiple = group,
    .int8_activations = true,
    .rows = false,
    .n_arrays = 4,
    .arrays = {{"q4", Element::i8,
                [](int64_t N, int64_t K) noexcept { return static_cast<size_t>(panels(N) * kPanel * K / 2); },
                [](int64_t N, int64_t K, int64_t* ne) noexcept { ne[0] = 64, ne[1] = K / 8, ne[2] = panels(N); }},
               {"q4.scale", Element::f16, [](int64_t N, int64_t K) noexcept { return group_values(N, K) * 2; },
                group_shape},
               {"q4.zero", Element::i8, [](int64_t N, int64_t K) noexcept { return group_values(N, K); }, group_shape},
               {"q4.sum", Element::f32,
                [](int64_t N, int64_t) noexcept { return static_cast<size_t>(panels(N)) * kPanel * 4; },
                [](int64_t N, int64_t, int64_t* ne) noexcept { ne[0] = panels(N) * kPanel; }}},
    .pack = pack,
    .unpack = unpack,
    .decode = nullptr,
    .encode = nullptr,
    .group = group,
    .steps = 15,
};

}  // namespace quern
