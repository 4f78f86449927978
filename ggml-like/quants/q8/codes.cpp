#include "quants/q8/codes.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "quants/compensate.h"
#include "quants/q8/q8.h"

namespace quern {
namespace {

// Weights [first, first + size) of every output, and where in the arrays they and their scales and sums stand.
struct Group {
  Group(int64_t N, int64_t K, int64_t g, int64_t group)
      : first(g * group), size(std::min(group, K - first)), outputs(round_up(N, kPanel)), number(g) {}
  int64_t panel(int64_t n) const { return outputs * first + n / kPanel * kPanel * Q8::padded(size); }
  // Of weight first + i of output n.
  int64_t code(int64_t n, int64_t i) const { return panel(n) + i / 4 * 64 + n % kPanel * 4 + i % 4; }
  int64_t scale(int64_t n) const { return outputs * number + n; }

  int64_t first, size, outputs, number;
};

}  // namespace

void pack_q8(const float* w, int64_t N, int64_t K, int64_t n0, int64_t n1, const Rounding& rounding,
             void* const* arrays, int64_t group) {
  const int64_t outputs = std::min(n1, N) - n0, padded = round_up(outputs, kPanel);
  const float largest = static_cast<float>(rounding.largest_code > 0 ? rounding.largest_code : kFineCode);
  int8_t* const codes = static_cast<int8_t*>(arrays[0]);
  float* const scales = static_cast<float*>(arrays[1]);
  int32_t* const sums = static_cast<int32_t*>(arrays[2]);
  std::vector<float> rest(w, w + outputs * K), inverse(static_cast<size_t>(outputs));
  Group now(N, K, 0, group);
  const auto begin = [&] {
    std::fill_n(codes + now.panel(n0), padded * Q8::padded(now.size), int8_t{0});
    std::fill_n(scales + now.scale(n0), padded, 0.0f);
    std::fill_n(sums + now.scale(n0), padded, 0);
    for (int64_t n = 0; n < outputs; ++n) {
      const float* const row = rest.data() + n * K + now.first;  // weights that earlier errors have already moved
      float amax = 0;
      for (int64_t i = 0; i < now.size; ++i) amax = std::max(amax, std::fabs(row[i]));
      scales[now.scale(n0 + n)] = amax / largest;
      inverse[static_cast<size_t>(n)] = amax > 0 ? largest / amax : 0.0f;
    }
  };
  round_compensated(rest.data(), outputs, K, rounding, [&](int64_t k, float* values) {
    if (k % group == 0) {
      now = Group(N, K, k / group, group);
      begin();
    }
    for (int64_t n = 0; n < outputs; ++n) {
      const float q = std::clamp(std::nearbyintf(values[n] * inverse[static_cast<size_t>(n)]), -largest, largest);
      codes[now.code(n0 + n, k - now.first)] = static_cast<int8_t>(q);
      sums[now.scale(n0 + n)] += static_cast<int32_t>(q);
      values[n] = q * scales[now.scale(n0 + n)];
    }
  });
}

void unpack_q8(const void* const* arrays, int64_t N, int64_t K, int64_t n, float* out, int64_t group) noexcept {
  for (int64_t g = 0; g * group < K; ++g) {
    const Group now(N, K, g, group);
    const float scale = static_cast<const float*>(arrays[1])[now.scale(n)];
    for (int64_t i = 0; i < now.size; ++i)
      out[now.first + i] = static_cast<float>(static_cast<const int8_t*>(arrays[0])[now.code(n, i)]) * scale;
  }
}

}  // namespace quern
