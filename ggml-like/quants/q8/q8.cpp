#include "quants/q8/q8.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "quants/compensate.h"

namespace quern {
namespace {

// Largest codes. With the coarser one nearly all sums of four products fit in 16 bits.
constexpr int kCoarse = 80, kFine = 127;

int64_t panels(int64_t N) {
  return (N + kPanel - 1) / kPanel;
}

void pack(const float* w, int64_t N, int64_t K, int64_t n0, int64_t n1, const Rounding& rounding, void* const* arrays) {
  const int64_t Kp = Q8::padded(K);
  const float largest = static_cast<float>(rounding.largest_code > 0 ? rounding.largest_code : kFine);
  int8_t* const codes = static_cast<int8_t*>(arrays[0]);
  float* const scales = static_cast<float*>(arrays[1]);
  int32_t* const sums = static_cast<int32_t*>(arrays[2]);
  std::vector<float> columns(static_cast<size_t>(K * kPanel));
  for (int64_t n = n0; n < n1; n += kPanel) {
    float scale[kPanel], inverse[kPanel];
    for (int c = 0; c < kPanel; ++c) {
      const bool real = n + c < N;
      float amax = 0;
      for (int64_t k = 0; k < K; ++k) {
        const float v = real ? w[(n - n0 + c) * K + k] : 0.0f;
        columns[static_cast<size_t>(k * kPanel + c)] = v;
        amax = std::max(amax, std::fabs(v));
      }
      scale[c] = scales[n + c] = amax / largest;
      inverse[c] = amax > 0 ? largest / amax : 0.0f;
      sums[n + c] = 0;
    }
    int8_t* const panel = codes + n * Kp;
    std::fill(panel, panel + Kp * kPanel, int8_t{0});
    round_compensated(columns.data(), K, rounding.U, [&](int64_t k, float* values) {
      for (int c = 0; c < kPanel; ++c) {
        const float q = std::clamp(std::nearbyintf(values[c] * inverse[c]), -largest, largest);
        panel[k / 4 * 64 + c * 4 + k % 4] = static_cast<int8_t>(q);
        sums[n + c] += static_cast<int32_t>(q);
        values[c] = q * scale[c];
      }
    });
  }
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
