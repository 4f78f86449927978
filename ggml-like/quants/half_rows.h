// The row coding that f16 and bf16 share: two bytes a value.
#pragma once
#include "quants/half.h"
#include "quants/type_info.h"

namespace quern {

template <float (*to_f32)(uint16_t)>
void half_decode(const void* row, float* out, int64_t K) noexcept {
  const uint16_t* in = static_cast<const uint16_t*>(row);
  for (int64_t k = 0; k < K; ++k) out[k] = to_f32(in[k]);
}

template <uint16_t (*to_half)(float)>
void half_encode(const float* x, void* row, int64_t K) noexcept {
  uint16_t* out = static_cast<uint16_t*>(row);
  for (int64_t k = 0; k < K; ++k) out[k] = to_half(x[k]);
}

template <class T>
constexpr TypeInfo half_type_info(const char* name, void (*decode)(const void*, float*, int64_t) noexcept,
                                  void (*encode)(const float*, void*, int64_t) noexcept) {
  return {
      .name = name,
      .k_multiple = 1,
      .int8_activations = false,
      .rows = true,
      .n_arrays = 1,
      .arrays = {{"weight", Element::rows, [](int64_t N, int64_t K) noexcept { return static_cast<size_t>(N * K) * 2; },
                  [](int64_t N, int64_t K, int64_t* ne) noexcept { ne[0] = K, ne[1] = N; }}},
      .pack = pack_rows<T>,
      .unpack = unpack_row<T>,
      .decode = decode,
      .encode = encode};
}

}  // namespace quern
