#include "quants/q4_0/q4_0.h"

#include <cmath>
#include <cstring>

namespace quern {
namespace {

void decode(const void* row, float* out, int64_t K) noexcept {
  const uint8_t* block = static_cast<const uint8_t*>(row);
  for (int64_t k = 0; k < K; k += 32, block += Q4_0::block_bytes) {
    uint16_t half;
    std::memcpy(&half, block, 2);
    const float d = f16_to_f32(half);
    for (int i = 0; i < 16; ++i) {
      out[k + i] = static_cast<float>((block[2 + i] & 15) - 8) * d;
      out[k + i + 16] = static_cast<float>((block[2 + i] >> 4) - 8) * d;
    }
  }
}

// The value of largest magnitude becomes -8 exactly, as GGUF's reference rounds.
void encode(const float* x, void* row, int64_t K) noexcept {
  uint8_t* block = static_cast<uint8_t*>(row);
  for (int64_t k = 0; k < K; k += 32, block += Q4_0::block_bytes) {
    float largest = 0;
    for (int i = 0; i < 32; ++i)
      if (std::fabs(x[k + i]) > std::fabs(largest)) largest = x[k + i];
    const float d = largest / -8.0f, inverse = d != 0 ? 1.0f / d : 0.0f;
    const uint16_t half = f32_to_f16(d);
    std::memcpy(block, &half, 2);
    const auto code = [&](float v) {
      const int q = static_cast<int8_t>(v * inverse + 8.5f);
      return static_cast<uint8_t>(q < 15 ? q : 15);
    };
    for (int i = 0; i < 16; ++i) block[2 + i] = static_cast<uint8_t>(code(x[k + i]) | code(x[k + i + 16]) << 4);
  }
}

}  // namespace

constinit const TypeInfo Q4_0::info = {
    .name = "q4_0",
    .k_multiple = 32,
    .int8_activations = true,
    .rows = true,
    .n_arrays = 1,
    .arrays = {{"weight", 2,
                [](int64_t N, int64_t K) noexcept { return static_cast<size_t>(N * (K / 32)) * block_bytes; },
                [](int64_t N, int64_t K, int64_t* ne) noexcept { ne[0] = K, ne[1] = N; }}},
    .file_type = 2,
    .pack = pack_rows<Q4_0>,
    .unpack = unpack_row<Q4_0>,
    .decode = decode,
    .encode = encode,
};

}  // namespace quern
