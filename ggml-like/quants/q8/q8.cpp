#include "quants/q8/q8.h"

#include "quants/q8/codes.h"
#include "quants/q8_g256/q8_g256.h"

namespace quern {
namespace {

int64_t outputs(int64_t N) {
  return round_up(N, 16);
}

}  // namespace

constinit const TypeInfo Q8::info = {
    .name = "q8",
    .k_multiple = 1,
    .int8_activations = true,
    .rows = false,
    .n_arrays = 3,
    .arrays = {{"q8", Element::i8,
                [](int64_t N, int64_t K) noexcept { return static_cast<size_t>(outputs(N) * padded(K)); },
                [](int64_t N, int64_t K, int64_t* ne) noexcept {
                  ne[0] = 64, ne[1] = padded(K) / 4, ne[2] = outputs(N) / 16;
                }},
               {"q8.scale", Element::f32,
                [](int64_t N, int64_t) noexcept { return static_cast<size_t>(outputs(N)) * 4; },
                [](int64_t N, int64_t, int64_t* ne) noexcept { ne[0] = outputs(N); }},
               {"q8.sum", Element::i32, [](int64_t N, int64_t) noexcept { return static_cast<size_t>(outputs(N)) * 4; },
                [](int64_t N, int64_t, int64_t* ne) noexcept { ne[0] = outputs(N); }}},
    .pack = [](const float* w, int64_t N, int64_t K, int64_t n0, int64_t n1, const Rounding& rounding,
               void* const* arrays) { pack_q8(w, N, K, n0, n1, rounding, arrays, K); },
    .unpack = [](const void* const* arrays, int64_t N, int64_t K, int64_t n,
                 float* out) noexcept { unpack_q8(arrays, N, K, n, out, K); },
    .decode = nullptr,
    .encode = nullptr,
    .steps = 2 * kFineCode,
    .levels = {kQ8Levels[0], kQ8Levels[1]},
    .in_groups = &Q8_G256::info,
};

}  // namespace quern
