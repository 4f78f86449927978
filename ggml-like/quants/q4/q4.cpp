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

// Scale (as f16 will hold it) and zero point with the least squared error for one output's group. The candidates
// shrink the group's range step by step, since clipping its ends can pay for finer steps between.
Range best_range(const float* w) {
  float low = 0, high = 0;
  for (int k = 0; k < Q4::group; ++k) {
    low = std::min(low, w[k]);
    high = std::max(high, w[k]);
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
      const float d = w[k] - r.value(r.code(w[k]));
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
  const int64_t outputs = std::min(n1, N) - n0, padded = round_up(outputs, kPanel), groups = K / Q4::group;
  uint8_t* const codes = static_cast<uint8_t*>(arrays[0]) + n0 * K / 2;
  uint16_t* const scales = static_cast<uint16_t*>(arrays[1]) + n0 * groups;
  uint8_t* const zeros = static_cast<uint8_t*>(arrays[2]) + n0 * groups;
  float* const sums = static_cast<float*>(arrays[3]) + n0;
  std::fill(codes, codes + padded * K / 2, uint8_t{0});
  std::fill(sums, sums + padded, 0.0f);
  // Outputs that fill the last panel are zeros, coded as such.
  std::vector<float> rest(static_cast<size_t>(padded * K), 0.0f);
  std::copy(w, w + outputs * K, rest.begin());
  std::vector<Range> range(static_cast<size_t>(padded));
  round_compensated(rest.data(), padded, K, rounding, [&](int64_t k, float* values) {
    for (int64_t n = 0; n < padded; ++n) {
      Range& r = range[static_cast<size_t>(n)];
      if (k % Q4::group == 0) {
        r = best_range(rest.data() + n * K + k);  // of weights that earlier errors have already moved
        const int64_t at = n / kPanel * kPanel * groups + k / Q4::group * kPanel + n % kPanel;
        scales[at] = f32_to_f16(r.scale);
        zeros[at] = static_cast<uint8_t>(r.zero);
      }
      const int q = r.code(values[n]);
      codes[n / kPanel * kPanel * K / 2 + k / 8 * 64 + n % kPanel * 4 + k % 4] |=
          static_cast<uint8_t>(k % 8 < 4 ? q : q << 4);
      values[n] = r.value(q);
      sums[n] += values[n];
    }
  });
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
