#include "quants/f32/f32.h"

#include <cstring>

namespace quern {

constinit const TypeInfo F32::info = {
    .name = "f32",
    .k_multiple = 1,
    .int8_activations = false,
    .rows = true,
    .n_arrays = 1,
    .arrays = {{"weight", Element::rows, [](int64_t N, int64_t K) noexcept { return static_cast<size_t>(N * K) * 4; },
                [](int64_t N, int64_t K, int64_t* ne) noexcept { ne[0] = K, ne[1] = N; }}},
    .pack = pack_rows<F32>,
    .unpack = unpack_row<F32>,
    .decode = [](const void* row, float* out,
                 int64_t K) noexcept { std::memcpy(out, row, static_cast<size_t>(K) * 4); },
    .encode = [](const float* x, void* row, int64_t K) noexcept { std::memcpy(row, x, static_cast<size_t>(K) * 4); },
};

}  // namespace quern
