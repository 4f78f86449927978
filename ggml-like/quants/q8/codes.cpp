#include "quants/q8/codes.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "quants/compensate.h"
#include "quants/q8/q8.h"

namespace quern {
namespace {

// Of an output's weight k.
struct Place {
  int64_t code, scale;
};
Place place(int64_t N, int64_t K, int64_t n, int64_t k, int64_t group) {
  const int64_t all = round_up(N, kPanel), first = k / group * group, i = k - first;
  const int64_t steps = Q8::padded(std::min(group, K - first)) / 4;
  return {all * first + (n / kPanel * steps + i / 4) * 64 + n % kPanel * 4 + i % 4, k / group * all + n};
}

}  // namespace

void pack_q8(const float* w, int64_t N, int64_t K, int64_t n0, int64_t n1, const Rounding& rounding,
             void* const* arrays, int64_t group) {
  const int64_t outputs = std::min(n1, N) - n0, padded = round_up(outputs, kPanel);
  const float largest = static_cast<float>(rounding.largest_code > 0 ? rounding.largest_code : kFineCode);
  int8_t* const codes = static_cast<int8_t*>(arrays[0]);
  float* const scales = static_cast<float*>(arrays[1]);
  int32_t* const sums = static_cast<int32_t*>(arrays[2]);
  group = std::min(group, round_up(K, 4));
  std::vector<float> rest(w, w + outputs * K), scale(static_cast<size_t>(outputs)), inverse(scale.size());
  const auto begin_group = [&](int64_t k) {
    const int64_t size = std::min(group, K - k);
    for (int64_t n = 0; n < padded; n += kPanel) {
      int8_t* const panel = codes + place(N, K, n0 + n, k, group).code;
      std::fill(panel, panel + Q8::padded(size) * kPanel, int8_t{0});
    }
    for (int64_t n = 0; n < padded; ++n) {
      float amax = 0;  // of weights that earlier errors have already moved
      for (int64_t i = k; n < outputs && i < k + size; ++i)
        amax = std::max(amax, std::fabs(rest[static_cast<size_t>(n * K + i)]));
      const int64_t at = place(N, K, n0 + n, k, group).scale;
      scales[at] = amax / largest;
      sums[at] = 0;
      if (n >= outputs) continue;
      scale[static_cast<size_t>(n)] = scales[at];
      inverse[static_cast<size_t>(n)] = amax > 0 ? largest / amax : 0.0f;
    }
  };
  round_compensated(rest.data(), outputs, K, rounding, [&](int64_t k, float* values) {
    if (k % group == 0) begin_group(k);
    for (int64_t n = 0; n < outputs; ++n) {
      const float q = std::clamp(std::nearbyintf(values[n] * inverse[static_cast<size_t>(n)]), -largest, largest);
      const Place at = place(N, K, n0 + n, k, group);
      codes[at.code] = static_cast<int8_t>(q);
      sums[at.scale] += static_cast<int32_t>(q);
      values[n] = q * scale[static_cast<size_t>(n)];
    }
  });
}

void unpack_q8(const void* const* arrays, int64_t N, int64_t K, int64_t n, float* out, int64_t group) noexcept {
  group = std::min(group, round_up(K, 4));
  for (int64_t k = 0; k < K; ++k) {
    const Place at = place(N, K, n, k, group);
    out[k] = static_cast<float>(static_cast<const int8_t*>(arrays[0])[at.code]) *
             static_cast<const float*>(arrays[1])[at.scale];
  }
}

}  // namespace quern
