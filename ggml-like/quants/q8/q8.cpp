#include "quants/q8/q8.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "quants/compensate.h"

namespace quern {
namespace {

// Largest codes. With the coarser one nearly all sums of four products fit in 16 bits.
constexpr int kCoarse = 88, kFine = 127;

int64_t panels(int64_t N) {
  return (N + kPanel - 1) / kPanel;
}

void pack(const float* w, int64_t N, int64_t K, int64_t n0, int64_t n1, const Rounding& rounding, void* const* arrays) {
  const int64_t Kp = Q8::padded(K), outputs = std::min(n1, N) - n0;
  const float largest = static_cast<float>(rounding.largest_code > 0 ? rounding.largest_code : kFine);
  int8_t* const codes = static_cast<int8_t*>(arrays[0]) + n0 * Kp;
  float* const scales = static_cast<float*>(arrays[1]) + n0;
  int32_t* const sums = static_cast<int32_t*>(arrays[2]) + n0;
  const int64_t padded = round_up(outputs, kPanel);
  std::fill(codes, codes + padded * Kp, int8_t{0});
  std::fill(scales, scales + padded, 0.0f);
  std::fill(sums, sums + padded, 0);
  std::vector<float> rest(w, w + outputs * K), inverse(static_cast<size_t>(outputs));
  for (int64_t n = 0; n < outputs; ++n) {
    float amax = 0;
    for (int64_t k = 0; k < K; ++k) amax = std::max(amax, std::fabs(w[n * K + k]));
    scales[n] = amax / largest;
    inverse[static_cast<size_t>(n)] = amax > 0 ? largest / amax : 0.0f;
  }
  round_compensated(rest.data(), outputs, K, rounding, [&](int64_t k, float* values) {
    for (int64_t n = 0; n < outputs; ++n) {
      const float q = std::clamp(std::nearbyintf(values[n] * inverse[static_cast<size_t>(n)]), -largest, largest);
      codes[n / kPanel * kPanel * Kp + k / 4 * 64 + n % kPanel * 4 + k % 4] = static_cast<int8_t>(q);
      sums[n] += static_cast<int32_t>(q);
      values[n] = q * scales[n];
    }
  });
}

void unpack(const void* const* arrays, int64_t, int64_t K, int64_t n, float* out) noexcept {
  const int8_t* panel = static_cast<const int8_t*>(arrays[0]) + n / kPanel * kPanel * Q8::padded(K);
  for (int64_t k = 0; k < K; ++k)
    out[k] = static_cast<float>(panel[k / 4 * 64 + n % kPanel * 4 + k % 4]) * static_cast<const float*>(arrays[1])[n];
}

}  // namespace

constinit const TypeInfo Q8::info = {
    .name = "q8",
    .k_multiple = 1,
    .int8_activations = true,
    .rows = false,
    .n_arrays = 3,
    .arrays = {{"q8", Element::i8,
                [](int64_t N, int64_t K) noexcept { return static_cast<size_t>(panels(N) * kPanel * padded(K)); },
                [](int64_t N, int64_t K, int64_t* ne) noexcept {
                  ne[0] = 64, ne[1] = padded(K) / 4, ne[2] = panels(N);
                }},
               {"q8.scale", Element::f32,
                [](int64_t N, int64_t) noexcept { return static_cast<size_t>(panels(N)) * kPanel * 4; },
                [](int64_t N, int64_t, int64_t* ne) noexcept { ne[0] = panels(N) * kPanel; }},
               {"q8.sum", Element::i32,
                [](int64_t N, int64_t) noexcept { return static_cast<size_t>(panels(N)) * kPanel * 4; },
                [](int64_t N, int64_t, int64_t* ne) noexcept { ne[0] = panels(N) * kPanel; }}},
    .pack = pack,
    .unpack = unpack,
    .decode = nullptr,
    .encode = nullptr,
    .steps = 2 * kFine,
    .levels = {{"q8", kCoarse}, {"q8_fine", kFine}},
};

}  // namespace quern
