#include "quants/q8_0/q8_0.h"

#include <cmath>
#include <cstring>

namespace quern {
namespace {

void decode(const void* row, float* out, int64_t K) noexcept {
  const char* block = static_cast<const char*>(row);
  for (int64_t k = 0; k < K; k += 32, block += Q8_0::block_bytes) {
    uint16_t d;
    std::memcpy(&d, block, 2);
    for (int i = 0; i < 32; ++i) out[k + i] = static_cast<float>(static_cast<int8_t>(block[2 + i])) * f16_to_f32(d);
  }
}

void encode(const float* x, void* row, int64_t K) noexcept {
  char* block = static_cast<char*>(row);
  for (int64_t k = 0; k < K; k += 32, block += Q8_0::block_bytes) {
    float amax = 0;
    for (int i = 0; i < 32; ++i) amax = std::max(amax, std::fabs(x[k + i]));
    const float d = amax / 127.0f, inverse = d != 0 ? 1.0f / d : 0.0f;
    const uint16_t half = f32_to_f16(d);
    std::memcpy(block, &half, 2);
    for (int i = 0; i < 32; ++i) block[2 + i] = static_cast<char>(static_cast<int8_t>(std::roundf(x[k + i] * inverse)));
  }
}

}  // namespace

constinit const TypeInfo Q8_0::info = {
    .name = "q8_0",
    .k_multiple = 32,
    .int8_activations = true,
    .rows = true,
    .n_arrays = 1,
    .arrays = {{"weight", 8,
                [](int64_t N, int64_t K) noexcept { return static_cast<size_t>(N * (K / 32)) * block_bytes; },
                [](int64_t N, int64_t K, int64_t* ne) noexcept { ne[0] = K, ne[1] = N; }}},
    .file_type = 7,
    .pack = pack_rows<Q8_0>,
    .unpack = unpack_row<Q8_0>,
    .decode = decode,
    .encode = encode,
};

}  // namespace quern
