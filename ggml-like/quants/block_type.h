// ggml's block types as data: what one says of itself, and what follows from it: its rows decoded, and the panels that
// its products run from. A file keeps rows; panels are made when it is loaded.
//
// A weight is scale · (code - zero) + min. The blocks of 32 have one scale, as f16; those of 256 have an f16 and an
// integer for every `sub` weights, whose product it is; min likewise.
//
// Panels of 16 outputs: codes, 32 k after 32 k: eight lines of 64 bytes (four k of each output) with as many bits a
// byte as a code has, packed into 4-bit, 2-bit and 1-bit planes; and the scales, block after block, each as 16 values
// side by side: f16 scale, f16 min, then int8 scale and int8 min of every `sub`.
#pragma once
#include <cstdint>

#include "quants/half.h"
#include "quants/type_info.h"
#include "tensor.h"

namespace quern {

// One block, taken apart.
struct BlockParts {
  uint8_t code[256];
  uint16_t scale = 0, min = 0;        // f16, or bf16 where the type says so
  int8_t sub_scale[16], sub_min[16];  // of blocks of 256
};

// A function's value, not a constant, so that no object has it as a symbol.
struct CodeTable {
  int8_t of[16];
};

// What a type states besides `block` (32 or 256 weights), `bytes` of a block, `bits` of a code and
// `static void take_apart(const uint8_t* block, BlockParts&)`.
struct BlockDefaults {
  static constexpr int zero = 0;            // what is taken off a code
  static constexpr int sub = 32;            // weights of one scale
  static constexpr bool mins = false;       // has mins; they are added in blocks of 32, taken off in those of 256
  static constexpr bool is_signed = false;  // codes are int8
  static constexpr bool bf16_scale = false;
  static constexpr bool has_table = false;  // codes below 16 stand for what table() lists (zero comes off after that)
  static constexpr CodeTable table() { return {}; }
  static constexpr int top = 0;  // the largest entry of the table, where codes are not signed
};

// Lines of the panels, shared by packing and kernels: where quad q (k = 4q … 4q + 3) of 32 lies.
struct Plane {
  int bits;   // 4, 2 or 1
  int line;   // its first of 64 bytes
  int shift;  // where its bits go in a code
};
template <class T>
struct BlockPlanes {
  static constexpr int n = T::bits == 3 || T::bits == 5 || T::bits == 6 ? 2 : 1;
  static constexpr Plane planes[2] = {
      {T::bits >= 8   ? 8
       : T::bits >= 4 ? 4
                      : 2,
       0, 0},
      {T::bits == 6 ? 2 : 1, T::bits >= 4 ? 4 : 2, T::bits >= 4 ? 4 : 2},
  };
  static constexpr int64_t group_bytes = 64 * T::bits;  // of 32 k × 16 outputs
  static constexpr bool two_level = T::block == 256;
  static constexpr int64_t scale_bytes =  // of a block × 16 outputs
      (two_level ? 256 / T::sub * 16 : 0) * (T::mins ? 2 : 1) + 32 * (T::mins ? 2 : 1);
};

template <class T>
struct BlockPanels;  // the kernels: block_panels.h

template <class T>
struct BlockType : BlockDefaults {
  template <class S>
  static constexpr auto kernels() {
    return BlockPanels<T>::template kernels<S>();
  }

  static int value(uint8_t code) {
    constexpr CodeTable table = T::table();
    if constexpr (T::has_table)
      return table.of[code] - T::zero;
    else if constexpr (T::is_signed)
      return static_cast<int8_t>(code);
    else
      return code - T::zero;
  }
  static float half(uint16_t bits) { return T::bf16_scale ? bf16_to_f32(bits) : f16_to_f32(bits); }

  static void decode(const void* row, float* out, int64_t K) noexcept {
    const uint8_t* block = static_cast<const uint8_t*>(row);
    for (int64_t k = 0; k < K; k += T::block, block += T::bytes) {
      BlockParts p;
      T::take_apart(block, p);
      const float d = half(p.scale), m = T::mins ? half(p.min) : 0;
      for (int i = 0; i < T::block; ++i) {
        const int s = i / T::sub;
        const float scale = T::block == 256 ? d * p.sub_scale[s] : d;
        float v = scale * static_cast<float>(value(p.code[i]));
        if constexpr (T::mins) v = T::block == 256 ? v - m * p.sub_min[s] : v + m;
        out[k + i] = v;
      }
    }
  }

  static size_t code_bytes(int64_t N, int64_t K) noexcept {
    return static_cast<size_t>(round_up(N, 16) / 16 * (K / 32) * BlockPlanes<T>::group_bytes);
  }
  static size_t panel_bytes(int64_t N, int64_t K, int array) noexcept {
    if (array == 0) return code_bytes(N, K);
    return array > 1 ? 0 : static_cast<size_t>(round_up(N, 16) / 16 * (K / T::block) * BlockPlanes<T>::scale_bytes);
  }

  // Codes of 16 blocks' k-quads, four bytes each, into the planes of 32 k.
  static void put_codes(const BlockParts* parts, int k, uint8_t* group) {
    using Planes = BlockPlanes<T>;
    for (int i = 0; i < Planes::n; ++i) {
      const Plane& p = Planes::planes[i];
      const int per = 8 / p.bits;  // quads of a line
      const uint32_t mask = 0x01010101u * ((1u << p.bits) - 1);
      for (int quad = 0; quad < 8; ++quad) {
        uint8_t* const line = group + (p.line + quad / per) * 64;
        for (int output = 0; output < 16; ++output) {
          uint32_t four, there = 0;
          __builtin_memcpy(&four, parts[output].code + k + quad * 4, 4);
          if (quad % per != 0) __builtin_memcpy(&there, line + output * 4, 4);
          there |= (four >> p.shift & mask) << quad % per * p.bits;
          __builtin_memcpy(line + output * 4, &there, 4);
        }
      }
    }
  }

  // The scales of 16 blocks.
  static void put_scales(const BlockParts* parts, uint8_t* to) {
    for (int output = 0; output < 16; ++output) {
      const BlockParts& p = parts[output];
      uint8_t* at = to;
      __builtin_memcpy(at + output * 2, &p.scale, 2);
      at += 32;
      if (T::mins) {
        __builtin_memcpy(at + output * 2, &p.min, 2);
        at += 32;
      }
      if constexpr (BlockPlanes<T>::two_level) {
        for (int s = 0; s < 256 / T::sub; ++s, at += 16) at[output] = static_cast<uint8_t>(p.sub_scale[s]);
        for (int s = 0; T::mins && s < 256 / T::sub; ++s, at += 16) at[output] = static_cast<uint8_t>(p.sub_min[s]);
      }
    }
  }

  static void make_panels(const void* rows, int64_t N, int64_t K, int64_t n0, int64_t n1,
                          void* const* panels) noexcept {
    using Planes = BlockPlanes<T>;
    const uint8_t* const from = static_cast<const uint8_t*>(rows);
    const int64_t row_bytes = K / T::block * T::bytes;
    BlockParts parts[16] = {};  // of outputs that there are not: zeros
    for (int64_t n = n0; n < n1; n += 16) {
      uint8_t* codes = static_cast<uint8_t*>(panels[0]) + n / 16 * (K / 32) * Planes::group_bytes;
      uint8_t* scales = static_cast<uint8_t*>(panels[1]) + n / 16 * (K / T::block) * Planes::scale_bytes;
      for (int64_t output = N - n; output < 16; ++output) parts[output] = {};
      for (int64_t b = 0; b < K / T::block; ++b, scales += Planes::scale_bytes) {
        for (int64_t output = 0; output < 16 && n + output < N; ++output)
          T::take_apart(from + (n + output) * row_bytes + b * T::bytes, parts[output]);
        put_scales(parts, scales);
        for (int k = 0; k < T::block; k += 32, codes += Planes::group_bytes) put_codes(parts, k, codes);
      }
    }
  }

  static size_t file_bytes(int64_t N, int64_t K) noexcept { return static_cast<size_t>(N * (K / T::block)) * T::bytes; }
  static void file_shape(int64_t N, int64_t K, int64_t* ne) noexcept { ne[0] = K, ne[1] = N; }

  using Encode = void (*)(const float*, void*, int64_t) noexcept;
  // encode: null where quern only reads the type.
  static constexpr TypeInfo describe(const char* name, Encode encode) {
    return {.name = name,
            .k_multiple = T::block,
            .int8_activations = true,
            .rows = true,
            .n_arrays = 1,
            .arrays = {{"weight", Element::rows, file_bytes, file_shape}},
            .pack = encode ? pack_rows<T> : nullptr,
            .unpack = unpack_row<T>,
            .decode = decode,
            .encode = encode,
            .group = T::sub,
            .steps = 0,
            .panel_bytes = panel_bytes,
            .make_panels = make_panels};
  }
};

}  // namespace quern
