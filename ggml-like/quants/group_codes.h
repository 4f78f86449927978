// How codes of 4 or 5 bits in groups of 32 with zero points (group_panels.h) are made and read: for the types' own .cpp
// files.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "quants/compensate.h"
#include "quants/group_panels.h"
#include "quants/half.h"

namespace quern {

template <int bits>
struct GroupCodes {
  static constexpr int64_t group = GroupPanels<bits>::group, group_bytes = GroupPanels<bits>::group_bytes;
  static constexpr int top = (1 << bits) - 1;

  static int64_t panels(int64_t N) { return (N + kPanel - 1) / kPanel; }

  struct Range {
    float scale;
    int zero;
    float value(int q) const { return scale * static_cast<float>(q - zero); }
    int code(float v) const {
      return scale > 0 ? std::clamp(static_cast<int>(std::nearbyintf(v / scale)) + zero, 0, top) : zero;
    }
  };

  // A code of step k in its group's lines, from the byte of its output and of k % 4 on.
  static constexpr int64_t fifth_bits = GroupPanels<bits>::nibble_lines * 64;
  static void put(uint8_t* lines, int64_t k, int code) {
    const int64_t step = k % group / 4;
    lines[step / 2 * 64] |= static_cast<uint8_t>((code & 15) << step % 2 * 4);
    if (bits == 5) lines[fifth_bits] |= static_cast<uint8_t>(code >> 4 << step);
  }
  static int get(const uint8_t* lines, int64_t k) {
    const int64_t step = k % group / 4;
    const int low = lines[step / 2 * 64] >> step % 2 * 4 & 15;
    return bits == 5 ? low | (lines[fifth_bits] >> step & 1) << 4 : low;
  }

  // Scale (as f16 will hold it) and zero point with the least squared error for one output's group. The candidates
  // shrink the group's range step by step, since clipping its ends can pay for finer steps between.
  static Range best_range(const float* w) {
    float low = 0, high = 0;
    for (int k = 0; k < group; ++k) {
      low = std::min(low, w[k]);
      high = std::max(high, w[k]);
    }
    Range best{0, 0};
    float least = INFINITY;
    for (int shrink = 0; shrink < 16; ++shrink) {
      const float factor = 1.0f - 0.025f * static_cast<float>(shrink);
      Range r{f16_to_f32(f32_to_f16((high - low) * factor / float{top})), 0};
      if (!(r.scale > 0)) return best;  // all zero, or below what f16 holds
      r.zero = std::clamp(static_cast<int>(std::nearbyintf(-low * factor / r.scale)), 0, top);
      float error = 0;
      for (int k = 0; k < group; ++k) {
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

  static void pack(const float* w, int64_t N, int64_t K, int64_t n0, int64_t n1, const Rounding& rounding,
                   void* const* arrays) {
    const int64_t outputs = std::min(n1, N) - n0, padded = round_up(outputs, kPanel), groups = K / group;
    uint8_t* const codes = static_cast<uint8_t*>(arrays[0]) + n0 / kPanel * groups * group_bytes;
    uint16_t* const scales = static_cast<uint16_t*>(arrays[1]) + n0 * groups;
    uint8_t* const zeros = static_cast<uint8_t*>(arrays[2]) + n0 * groups;
    float* const sums = static_cast<float*>(arrays[3]) + n0;
    std::fill_n(codes, padded / kPanel * groups * group_bytes, uint8_t{0});
    std::fill(sums, sums + padded, 0.0f);
    // Outputs that fill the last panel are zeros, coded as such.
    std::vector<float> rest(static_cast<size_t>(padded * K), 0.0f);
    std::copy(w, w + outputs * K, rest.begin());
    std::vector<Range> range(static_cast<size_t>(padded));
    round_compensated(rest.data(), padded, K, rounding, [&](int64_t k, float* values) {
      for (int64_t n = 0; n < padded; ++n) {
        Range& r = range[static_cast<size_t>(n)];
        if (k % group == 0) {
          r = best_range(rest.data() + n * K + k);  // of weights that earlier errors have already moved
          const int64_t at = n / kPanel * kPanel * groups + k / group * kPanel + n % kPanel;
          scales[at] = f32_to_f16(r.scale);
          zeros[at] = static_cast<uint8_t>(r.zero);
        }
        const int q = r.code(values[n]);
        put(codes + (n / kPanel * groups + k / group) * group_bytes + n % kPanel * 4 + k % 4, k, q);
        values[n] = r.value(q);
        sums[n] += values[n];
      }
    });
  }

  static void unpack(const void* const* arrays, int64_t, int64_t K, int64_t n, float* out) noexcept {
    const int64_t first = n / kPanel * kPanel, c = n % kPanel, groups = K / group;
    const uint8_t* const panel = static_cast<const uint8_t*>(arrays[0]) + n / kPanel * groups * group_bytes + c * 4;
    for (int64_t k = 0; k < K; ++k) {
      const int64_t at = first * groups + k / group * kPanel + c;
      const Range r{f16_to_f32(static_cast<const uint16_t*>(arrays[1])[at]),
                    static_cast<const uint8_t*>(arrays[2])[at]};
      out[k] = r.value(get(panel + k / group * group_bytes + k % 4, k));
    }
  }

  static size_t group_values(int64_t N, int64_t K) { return static_cast<size_t>(panels(N) * kPanel * (K / group)); }
  static void group_shape(int64_t N, int64_t K, int64_t* ne) noexcept {
    ne[0] = kPanel, ne[1] = K / group, ne[2] = panels(N);
  }

  struct Names {
    const char *codes, *scale, *zero, *sum;
  };
  static constexpr TypeInfo info(const Names& names) {
    return {
        .name = names.codes,
        .k_multiple = group,
        .int8_activations = true,
        .rows = false,
        .n_arrays = 4,
        .arrays = {{names.codes, Element::i8,
                    [](int64_t N, int64_t K) noexcept {
                      return static_cast<size_t>(panels(N) * (K / group) * group_bytes);
                    },
                    [](int64_t N, int64_t K, int64_t* ne) noexcept {
                      ne[0] = 64, ne[1] = K / group * (group_bytes / 64), ne[2] = panels(N);
                    }},
                   {names.scale, Element::f16, [](int64_t N, int64_t K) noexcept { return group_values(N, K) * 2; },
                    group_shape},
                   {names.zero, Element::i8, [](int64_t N, int64_t K) noexcept { return group_values(N, K); },
                    group_shape},
                   {names.sum, Element::f32,
                    [](int64_t N, int64_t) noexcept { return static_cast<size_t>(panels(N)) * kPanel * 4; },
                    [](int64_t N, int64_t, int64_t* ne) noexcept { ne[0] = panels(N) * kPanel; }}},
        .pack = pack,
        .unpack = unpack,
        .decode = nullptr,
        .encode = nullptr,
        .group = group,
        .steps = float{top},
    };
  }
};

}  // namespace quern
