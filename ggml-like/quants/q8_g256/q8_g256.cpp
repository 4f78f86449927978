#include "quants/q8_g256/q8_g256.h"

#include "quants/q8/codes.h"

namespace quern {
namespace {

size_t group_values(int64_t N, int64_t K) {
  return static_cast<size_t>(round_up(N, 16) * Q8_G256::groups(K));
}
void group_shape(int64_t N, int64_t K, int64_t* ne) noexcept {
  ne[0] = round_up(N, 16), ne[1] = Q8_G256::groups(K);
}

}  // namespace

std::shared_ptr<const void> Q8_G256::adopt_groups(const Matrix& w, Overflows overflows) {
  const auto all = std::make_shared<Adopted>();
  for (int64_t g = 0; g < groups(w.K); ++g) all->push_back(make_short_sums(part(w, g), overflows));
  return all;
}

constinit const TypeInfo Q8_G256::info = {
    .name = "q8_g256",
    .k_multiple = 1,
    .int8_activations = true,
    .rows = false,
    .n_arrays = 3,
    .arrays = {{"q8_g256", Element::i8,
                [](int64_t N, int64_t K) noexcept { return static_cast<size_t>(round_up(N, 16) * Q8::padded(K)); },
                [](int64_t N, int64_t K, int64_t* ne) noexcept {
                  ne[0] = 64, ne[1] = Q8::padded(K) / 4, ne[2] = round_up(N, 16) / 16;
                }},
               {"q8_g256.scale", Element::f32, [](int64_t N, int64_t K) noexcept { return group_values(N, K) * 4; },
                group_shape},
               {"q8_g256.sum", Element::i32, [](int64_t N, int64_t K) noexcept { return group_values(N, K) * 4; },
                group_shape}},
    .pack = [](const float* w, int64_t N, int64_t K, int64_t n0, int64_t n1, const Rounding& rounding,
               void* const* arrays) { pack_q8(w, N, K, n0, n1, rounding, arrays, group); },
    .unpack = [](const void* const* arrays, int64_t N, int64_t K, int64_t n,
                 float* out) noexcept { unpack_q8(arrays, N, K, n, out, group); },
    .decode = nullptr,
    .encode = nullptr,
    .group = group,
    .activation_group = group,
    .steps = 2 * kFineCode,
    .levels = {kQ8Levels[0], kQ8Levels[1]},
};

}  // namespace quern
